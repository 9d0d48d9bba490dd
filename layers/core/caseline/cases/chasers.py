"""Words that only ask after an answer ("still nothing?", "nobody has replied"): whatever they are called, they are about what is open already. Pure."""

from __future__ import annotations

import re

LONGEST = 30  # words; who says more tells something new

_ENGLISH = (
    r"still no (?:news|update|word)", r"still (?:waiting|nothing)", r"any (?:update|news|progress|answer|reply|response)",
    r"(?:no ?body|no[- ]?one|none of you) (?:has |have |is |ever |even )*(?:answer|repl|respond|got(?:ten)? back|gets back|call(?:ed|s) back)",
    r"(?:not|\w+n't|never) (?:\w+ )?(?:answer|repl|respond)",
    r"(?:no|without an?y?) (?:answer|reply|response)\b",
    r"(?:not|\w+n't|never|yet to) (?:heard?|had|received?|got|gotten|get) (?:back|(?:from|of) (?:you|anyone)|(?:an?|any|your) (?:answer|reply|response))",
    r"please (?:answer|reply|respond)\b", r"waiting (?:\w+ ){0,4}for (?:an?|any|your) (?:answer|reply|response)",
    r"follow(?:ing)?[- ]up (?:on|to|about) my", r"hello\?", r"any(?:one|body) there",
)  # fmt: skip
_OTHERS = (
    r"immer noch (?:keine|nichts)", r"noch immer (?:keine|nichts)", r"keine (?:antwort|rückmeldung|reaktion)", r"niemand (?:antwortet|meldet|reagiert|hat)",
    r"warte (?:immer noch|noch immer|seit|noch)",
    r"toujours (?:pas|aucune|rien|sans)", r"aucune (?:réponse|nouvelle)", r"personne (?:ne |n')(?:me |m'|nous )?(?:répond|a répondu)",
    r"attends (?:toujours|encore|une réponse)",
    r"sigo (?:esperando|sin)", r"(?:sin|ninguna) respuesta", r"nadie (?:me |nos )?(?:responde|contesta|ha respondido|ha contestado)",
    r"nessuna risposta", r"nessuno (?:mi |ci )?(?:risponde|ha risposto)", r"(?:sto )?ancora aspett",
    r"nog (?:steeds|altijd) (?:geen|niets|aan het wachten)", r"geen (?:antwoord|reactie)", r"niemand (?:reageert|antwoordt)", r"wacht nog",
    r"sem resposta", r"ningu[ée]m (?:me )?(?:responde|respondeu)", r"ainda (?:estou )?(?:esperando|à espera|aguardando)",
)  # fmt: skip
_CHASES = re.compile(r"(?<!\w)(?:" + "|".join((*_ENGLISH, *_OTHERS)) + ")")


def is_chaser(text: str) -> bool:
    """Of a text in folded case."""
    return len(text.split()) <= LONGEST and bool(_CHASES.search(text.replace("\u2019", "'")))
