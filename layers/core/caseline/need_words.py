"""Words by which need is decided where a sentiment says too little: news, spam, what machines write, trouble that is told kindly. Pure.

All texts are in lower case, links are replaced by LINK. A rule that keeps a case from opening asks for more than one sign, and for nobody who speaks
of himself: a case too many costs a minute, one too few a customer.
"""

from __future__ import annotations

import re

LINK = " \ufffc "  # in place of a link
_SELF = re.compile(
    r"\bim (?:so|not|still|on|at|a|the|very|really|going|sitting|stuck|done|never|in|getting|trying)\b"
    r"|\b(?:i|i'm|i'?ve|i'd|i'll|me|my|mine|myself|we|we'?re|we'?ve|our|ours|us|you|your|yours|u|ur|y'?all"
    r"|ich|mir|mich|mein\w*|wir|uns|unser\w*|ihr|euch"
    r"|euer|eure\w*|je|j'\w+|moi|mon|ma|mes|nous|notre|nos|vous|votre|vos|yo|mi|mis|me|nosotros|nuestr[oa]s?|usted(?:es)?|vuestr[oa]s?|su|io|mio|mia|noi"
    r"|nostr[oaie]|voi|vostr[oaie]|eu|meu|minha|nós|nosso|nossa|você|vocês|ik|mijn|wij|ons|onze|jullie|jouw?)\b"
)
_BUSINESS = re.compile(
    r"\b(?:ceo|cfo|coo|shares?|shareholders?|stocks?|investors?|wall st(?:reet)?|nasdaq|nyse|dow|earnings|revenues?|profits?|quarter(?:ly)?|q[1-4]|ipo"
    r"|merger|acqui(?:res?|red|sition)|analysts?|lawsuits?|federal court|regulators?|fined|layoffs|(?:cut|cuts|slash|slashes) (?:\w+ ){0,3}jobs|appoints?"
    r"|announces?|announced|unveils?|launches|resigns?|resigned|according to|reports?(?: says)?|recalls|bankruptcy|antitrust|billion|headquarters"
    r"|aktien?|umsatz|quartal\w*|vorstand\w*|laut (?:bericht|medien)|meldet|stellt \w+ vor|ruft .{1,30} zurück|kartellamt"
    r"|bourse|chiffre d'affaires|pdg|selon|licencie|acciones|ingresos|según|despide|azioni|ricavi|secondo|ações|receita|segundo)\b"
)
_HEADED = re.compile(r"\A\W*(?:breaking|just in|exclusive|developing|report|news|eilmeldung|eil|flash info|última hora|ultim'?ora)\b[^\w]{0,3}[:|–—-]")
_SOURCE = re.compile(
    r"(?:[-–—|]\s*|\bvia\s+@?|\bby\s+@?)(?:the )?[\w.&' ]{0,30}\b(?:reuters|bloomberg|bbc|cnn|cnbc|forbes|wsj|guardian|nytimes|times|post|daily"
    r"|herald|tribune"
    r"|journal|gazette|reporter|news|press|associated press|techcrunch|spiegel|handelsblatt|tagesschau|le monde|les echos|el país|ansa|afp|dpa)\b"
)
_SPAM = re.compile(
    r"\b(?:earn|make) (?:up to )?[$€£]\s?\d[\d,.]*\s?(?:a|per|every|/)\s?(?:day|week|hour|month)\b"
    r"|\b(?:dm|text|message|contact|write|reach|inbox) (?:me|us|him|her|now)? ?(?:on|via|at) (?:whats ?app|telegram)\b"
    r"|\bwin (?:a |an |your )?(?:free |brand new )*(?:iphone|ipad|gift ?cards?|[$€£]\s?\d+)"
    r"|\bfree (?:iphones?|gift ?cards?|followers|bitcoins?|crypto)\b.{0,80}(?:\bclick|\blink|\ufffc)"
    r"|\b\d+\s?k? (?:new |real )?followers (?:fast|free|instantly|in \d)|\b(?:buy|get|gain) (?:cheap |real |free )?followers\b"
    r"|\b(?:crypto|forex|bitcoin|binary)\b.{0,40}\b(?:guaranteed|profits?|returns?|trader|expert|signals)\b"
    r"|\b(?:seo|link building|backlinks?|web design)\b.{0,80}\b(?:page one|first page|rankings?|google|our services|guest posts?)\b"
    r"|\bcheck (?:out )?my (?:profile|bio|page)\b|\bhot (?:pics|singles)\b|\b(?:viagra|cialis|onlyfans|escort services?)\b"
    r"|\b(?:recovered|got back) my (?:lost |stolen )?(?:funds|money|bitcoins?|crypto|account)\b.{0,80}\b(?:contact|dm|thanks to) @?\w+"
)
_SPAM_TOLD = re.compile(
    r"\b(?:i (?:got|received|clicked|was sent|keep getting|am getting)|i'?ve (?:got|received|been)|from you"
    r"|is (?:this|it|that) (?:really )?(?:you|yours|real|legit|genuine|from)"
    r"|phishing|scam(?:med|mers?)?|fake|fraud|stop (?:sending|spamming)|impersonat\w+|pretend\w*)\b"
)
_MACHINE = re.compile(
    r"\A\W*(?:(?:re|aw|fwd?|wg|tr|rif|sv) ?: ?)*(?:auto(?:matic|mated)?[ -]?(?:reply|response|answer)|out of (?:the )?office(?=\s*(?:[:!.-]|reply|until|\Z))"
    r"|undeliverable\s*:|undelivered mail|delivery status notification|mail delivery (?:failed|system|subsystem)|returned mail\s*:|failure notice\Z"
    r"|abwesenheits(?:notiz|nachricht)|automatische antwort|réponse automatique|absence du bureau|respuesta automática|fuera de (?:la )?oficina"
    r"|risposta automatica|fuori ufficio|resposta automática|fora do escritório|afwezigheidsbericht|automatisch antwoord)"
)
_AWAY = re.compile(
    r"\A(?:(?:hi|hello|dear \w+|hallo|guten tag|bonjour|thank you|thanks|many thanks|vielen dank|danke|merci)\b[^.!,\n]{0,60}[.!,\n]+\s*)?"
    r"(?:this is an? (?:automatic|automated)(?:ally generated)? (?:reply|response|message|e-?mail)"
    r"|(?:i am|i'm|i will be|we are) (?:currently |now )?(?:out of (?:the )?office|(?:away|travelling|on (?:\w+ )?(?:leave|vacation|holidays?)) "
    r"(?:until|till|from|through|and will|with (?:limited|no)))"
    r"|ich bin (?:derzeit |zurzeit |aktuell )?(?:nicht im (?:büro|haus)|(?:bis|vom) .{1,40} (?:abwesend|im urlaub|nicht))"
    r"|je suis (?:actuellement )?absente? (?:du|jusqu)|estoy fuera de la oficina|sono fuori ufficio|estou fora do escritório)"
)
_NOT = r"(?:not|never|no|nothing|nobody|none|n't|cannot|can't|won't|isn't|doesn't|don't|didn't|hasn't|haven't|aren't|couldn't)"
_DOES = r"(?:(?:work|load|open|start|connect|respond|sync)(?:s|ing)?|arrive[ds]?|turn(?:s|ing)? on|charg(?:e|es|ing))"
_FAIL = r"(?:crash|delay|outage|error|bug|breakdown|failure|cancell?ation|charge|broken \w+)"
_WOE = r"(?:problems?|issues?|trouble|difficult(?:y|ies)|a hard time|errors?)"
_TROUBLE = re.compile(
    rf"\bstill (?:\w+ )?(?:{_NOT}\b|broken|down|waiting|missing|wrong|the same|crash\w*|fail\w*|stuck|offline|late)"
    rf"|\b(?:is|are|do|does|has|have|will|wo|ca)(?:n't|n’t| not) (?:\w+ )?(?:{_DOES}|been (?:fixed|solved|resolved|refunded|delivered))\b"
    r"|\b(?:can'?t|cannot|can not|unable to|couldn't) (?:even )?(?:(?:log|sign) ?in|open|access|use|pay|connect|get (?:in|on|online|through|it to)"
    r"|reach)\b|\bcant (?:even )?(?:log ?in|sign ?in|open|access|use|pay|connect|get)\b|\bnever (?:got|received|arrived|came|showed up)\b"
    r"|\bnot (?:solved|fixed|resolved|working|arrived|received|refunded|delivered)\b"
    rf"|(?<!never )(?<!not )(?<!without )(?<!n't )\b(?:having|have|had|got) (?!no\b|never\b|not\b|zero\b)(?:\w+ ){{0,3}}{_WOE}\b"
    r"|\b(?:unable to|not (?:been )?able to|n't been able to)\b|\b(?:n't|not|never) (?:\w+ )?let(?:ting)? (?:me|us|my)\b|\bwont let (?:me|us|my)\b"
    r"|\bkeeps? (?:on )?(?:getting|saying|telling|failing|crashing|asking|hanging|dropping|freezing|logging|showing|losing)\b"
    r"|\b(?:been|are|were|i'm|still) (?:\w+ )?waiting (?:for|on|over|since|\d+)\b|\b(?:on hold|hung up on)\b"
    rf"|(?<!without )(?<!never had )(?<!not had )\banother {_FAIL}\b"
    r"|\b(?:stopped|quit) working\b|\bthanks? (?:you )?for nothing\b|\bdanke für (?:nichts|garnichts|gar nichts)\b|\bmerci pour rien\b|\bgracias por nada\b"
    r"|\bgrazie (?:di|per) niente\b|\bobrigad[oa] por nada\b"
    r"|\b(?:geht|funktioniert|klappt|läuft|lädt) (?:\w+ ){0,3}nicht\b|\b(?:immer noch|noch immer) (?:nicht|kein\w*|defekt|kaputt|warte)\b"
    r"|\bne (?:marche|fonctionne|charge|s'ouvre) (?:\w+ )?pas\b|\btoujours (?:pas|rien|en panne|la même)\b"
    r"|\b(?:no|ya no|sigue sin|todavía no|aún no) (?:me )?(?:funciona\w*|carga\w*|abre|llega\w*|ha llegado)\b"
    r"|\bnon (?:funziona|si apre|carica|arriva|è (?:ancora )?arrivat\w)\b|\bancora (?:non|niente|rotto)\b"
    r"|\b(?:não|ainda não) (?:funciona|abre|carrega|chegou)\b|\b(?:werkt|doet het|laadt) (?:\w+ ){0,2}niet\b|\bnog steeds (?:niet|geen|kapot)\b"
)
_SETTLED = re.compile(r"\b(?:no longer|not anymore|until you|before you|you fixed|is fixed|fixed now|works now|working now|all good now)\b")
_GRIEVANCE = re.compile(
    r"(?<!not the )(?<!not )(?<!n't )(?<!n't be )(?<!never )(?<!isn't that )\b(?:(?:the|your|ur) worst|(?:absolutely |really |so |very )?(?:terrible"
    r"|horrible|horrendous|horrid|appalling)"
    r"|ridiculous|unacceptable|disgraceful|shameful|ashamed|disturbing|pathetic|useless|incompeten\w+|rude(?:st|ly)?|disappointed|disappointing"
    r"|disappointment|disgust(?:ed|ing)|unprofessional"
    r"|unhappy|dissatisfied|frustrated|frustrating|furious|pissed|fed up|ripped off|rip-?off|scammed|sucks?|screwed|waste of (?:time|money|my)"
    r"|poor(?:est)? (?:customer|service|communication|quality|experience|treatment))\b"
    r"|\b(?:not (?:happy|pleased|impressed|acceptable|good enough|cool)|never (?:again|flying|buying|ordering|using|coming back)|no (?:help|response"
    r"|answer|reply|explanation)|nobody (?:answers|responds|cares)|no one (?:answers|responds|cares|is answering))\b"
    r"|(?<!nicht )\b(?:furchtbar\w*|katastroph\w*|unverschämt\w*|enttäusch(?:t|end\w*)|nie wieder|frechheit|unzufrieden|mies\w*|unmöglich\w* service"
    r"|schlechte[rsn]? (?:service|qualität|kundenservice))\b"
    r"|\b(?:pésim[oa]s?|malísim[oa]s?|vergonzos[oa]|(?:una|qué) vergüenza|decepcionad[oa]s?|decepcionante|nunca más|estafa|indignad[oa])\b"
    r"|\b(?:inadmissible|scandaleux|déçue?s?|décevant|une honte|catastrophique|lamentable|inacceptable|service (?:client )?nul)\b"
    r"|\b(?:pessim[oa]|orribile|vergognos[oa]|una vergogna|delus[oaie]|deludente|mai più|inaccettabile|truffa)\b"
    r"|\b(?:péssim[oa]|horrível|vergonhos[oa]|uma vergonha|decepcionante|nunca mais|inaceitável|golpe)\b"
)
_WARM = re.compile(
    r"\b(?<!no )(?:kudos|props|shout ?-?outs?|hats off|stellar|above and beyond|life ?savers?|raving fan|made my day|rock ?stars?)\b"
    r"|\b(?:couldn'?t|could not) (?:be|have been|ask for) (?:any )?(?:more (?:thankful|grateful|gracious|helpful|pleased|accommodating)|happier|nicer"
    r"|better)\b"
    r"|(?<!not )(?<!n't )\b(?:super|very|extremely|incredibly|amazingly|exceptionally) (?:helpful|professional|kind|friendly|accommodating|thankful"
    r"|grateful|impressed|polite)\b"
    r"|(?<!not )(?<!n't )(?<!less than )(?<!un)\bimpressed (?:with|by|that)\b"
    r"|\bsweet as pie\b|\ba\+ (?:work|service|job)\b|\bearned (?:my|our) (?:business|loyalty|trust)\b|\bcrisis averted\b|\bcan'?t complain\b"
    r"|(?<!not )(?<!never )\b(?:got it|all|already|finally) (?:been )?(?:resolved|solved|squared away|sorted(?: out)?|taken care of)\b"
    r"|(?<!not )(?<!never )\b(?:solved|resolved|fixed) (?:my|our) (?:problem|issue)s?\b"
    r"|(?<!nobody )(?<!n't )\btook (?:great |good )?care of (?:it|me|us|everything)\b"
    r"|\bcame through (?:for (?:me|us)|with)\b|(?<!how is it )\bnot your fault\b|\bthe most (?:professional|helpful|friendly)\b"
)
_ABOUT_CONTACT = re.compile(
    r"\b(?:d\.?m|message|msg|e?mail|pics?|photos?|form|details)s?(?: and \w+)?(?:'?d)? (?:(?:has|have) been |is |was |just )?sent\b|\bdm'?e?d (?:you"
    r"|u)\b|\b(?:already|just) dm\b"
    r"|\bsent (?:you |u |the |a |my |it )*(?:via |by |in )?(?:a )?(?:dm|message|msg|e?mail|details)\b|\b(?:i'?m|i am|am|now) (?:now )?following\b"
    r"|\bfollow (?:me|back|us)\b|\b(?:have|got) the dm\b"
)
_CAPITAL = r"(?:@|[A-Z0-9])[\w.&'’]*"
_HEADLINE = re.compile(  # in upper and lower case: ... - The Daily Name LINK, or what a button for sharing adds
    rf"[-–—|]\s*{_CAPITAL}(?:\s+(?:(?:in|of|the|and)\s+)?{_CAPITAL}){{0,4}}\s*(?:\(\w+\)\s*)?(?:{LINK.strip()}\s*)+\Z"
    rf"|{LINK.strip()}\s*(?:via|vía)\s+@\w+\s*\Z"
)
NEWS_SIGNS = 2


def is_news(text: str) -> bool:
    """A headline: nobody speaks of himself or to anybody, and there are two signs of a report, one of them in words."""
    if _SELF.search(text) or "?" in text:
        return False
    told = set(_BUSINESS.findall(text)) | {"headed" for _ in _HEADED.findall(text)} | {"source" for _ in _SOURCE.findall(text)}
    return bool(told) and len(told) + (LINK.strip() in text) >= NEWS_SIGNS


def tells_grievance(text: str) -> bool:
    """Words that hardly anybody uses who does not complain."""
    return bool(_GRIEVANCE.search(text))


def is_warm(text: str) -> bool:
    """Praise so plain that words of trouble beside it tell what the trouble was overcome in."""
    return bool(_WARM.search(text)) and not tells_trouble(text)


def is_about_contact(text: str) -> bool:
    """Where to write, and that it was written: the matter itself stands elsewhere."""
    return bool(_ABOUT_CONTACT.search(text))


def is_shared(text: str) -> bool:
    """A link, and nobody who speaks of himself or to anybody."""
    return LINK.strip() in text and not _SELF.search(text)


def is_headline(text: str) -> bool:
    """A shared article by its form, in the case that it was written in; nobody speaks of himself or to anybody."""
    return LINK.strip() in text and "?" not in text and bool(_HEADLINE.search(text)) and not _SELF.search(text.casefold())


def is_spam(text: str) -> bool:
    """An offer that is none; not who tells of one that he got."""
    return bool(_SPAM.search(text)) and not _SPAM_TOLD.search(text)


def is_machine(text: str) -> bool:
    """An automatic answer by how it begins, in its subject or in its first words; what is quoted further down says nothing of who wrote it."""
    subject, _, body = text.strip().partition("\n\n")
    return bool(_MACHINE.search(subject) or _AWAY.search(subject) or _AWAY.search(body.strip()))


def tells_trouble(text: str) -> bool:
    """That something does not work, or not yet, however kindly it is said; not what was in trouble and is not any more."""
    return bool(_TROUBLE.search(text)) and not _SETTLED.search(text)
