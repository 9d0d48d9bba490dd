"""Plays a story on a stage: step by step, each when its time has come, and holds it to what it expects."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from caseline_local.scenarios.checks import check_all, check_sound
from caseline_local.scenarios.stage import Reader, Snapshot, Stage, post
from caseline_local.scenarios.story import Step, Story, StoryError, accounts_csv, read_verb

_SHORT, _A_MINUTE, _A_DAY = timedelta(minutes=5), timedelta(minutes=1), timedelta(days=1)
_MINUTES = 8  # in which all comes to rest that waits for time alone
Say = Callable[[str], None]


def silent(text: str) -> None:
    """For those who only want to know how it ends."""


@dataclass
class Player:
    """`say` gets a line for each step."""

    story: Story
    stage: Stage
    say: Say = silent
    posted: dict[str, Mapping[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.reader = Reader(self.stage)
        self._verbs: dict[str, Callable[[Step, Any, datetime], None]] = {
            "wait": self._wait, "again": self._again, "together": self._together, "crowd": self._crowd, "crm": self._switch_crm,
            "accounts": self._import, "person": self._work, "merge": self._merge, "split": self._split, "erase": self._erase,
        }  # fmt: skip

    def play(self) -> list[str]:
        """What is not as the story has it, as sentences; empty where all is."""
        if self.story.accounts:
            self._import(None, self.story.accounts, self.story.start)
        problems: list[str] = []
        for step in self.story.steps:
            self.say(f"  {step.number}/{len(self.story.steps)} {_clock(step.at)} {step.say or step.verb}")
            self._reach(self.story.start + step.at)
            self._do(step, step.verb, step.said, self.story.start + step.at)
            self._settle()
            problems += [f"after step {step.number}: {problem}" for problem in self._check(step.expect)]
        return [*problems, *self._check(self.story.expect), *check_sound(Snapshot(self.stage))]

    def _check(self, expect: Mapping[str, Any]) -> Iterator[str]:
        return check_all(Snapshot(self.stage), self.story, expect)

    def _reach(self, moment: datetime) -> None:
        """A long time passes day by day, and in a last minute, so that what one watch began the next can go on with."""
        for turn in _turns(self.stage.now(), moment):
            self.stage.move(turn)
            self.stage.settle()

    def _settle(self) -> None:
        """What waits for the next minute, a watch or another try, gets it; what waits for a CRM that is away does not come to rest."""
        for _ in range(_MINUTES):
            if self.stage.settle():
                return
            self.stage.move(self.stage.now() + _A_MINUTE)

    def _do(self, step: Step, verb: str, said: Any, moment: datetime) -> None:
        if verb in self._verbs:
            self._verbs[verb](step, said, moment)
        elif verb == "request" or verb in self.story.shapes:
            self._post(step, verb, said, moment)
        else:
            raise StoryError(f"{self.story.name}: step {step.number}: there is no {verb}; write one of {', '.join([*self._verbs, *self.story.shapes])}")

    def _post(self, step: Step, verb: str, said: Any, moment: datetime) -> None:
        request = self.story.request_of(step, verb, said, moment)
        if step.label:
            self.posted[step.label] = request
        post(self.stage, self.story, request)

    def _wait(self, step: Step, said: Any, moment: datetime) -> None:
        """Time passed."""

    def _again(self, step: Step, said: Any, moment: datetime) -> None:
        """The platform delivers once more what it delivered before."""
        post(self.stage, self.story, self.posted[said])

    def _together(self, step: Step, said: Sequence[Mapping[str, Any]], moment: datetime) -> None:
        """In order, but without waiting for what comes of the one before the next."""
        for each in said:
            self._do(step, *read_verb(each, f"{self.story.name}: step {step.number}"), moment)

    def _crowd(self, step: Step, said: Mapping[str, Any], moment: datetime) -> None:
        """Many people, each with `{n}` and one of the words of each list in `vary`."""
        for number in range(int(said["people"])):
            words = {"n": str(number)} | {name: str(choice[number % len(choice)]) for name, choice in (said.get("vary") or {}).items()}
            self._do(step, *read_verb(_fill(said["each"], words), f"{self.story.name}: step {step.number}"), moment)

    def _switch_crm(self, step: Step, said: str, moment: datetime) -> None:
        self.stage.let_crm({"up": True, "down": False}[said])

    def _import(self, step: Step | None, said: Sequence[Mapping[str, Any]], moment: datetime) -> None:
        report = self.reader.post("crm", "import", body=accounts_csv(self.story.rows_of(said, moment)))
        if report["errors"]:
            raise StoryError(f"{self.story.name}: accounts: {report['errors']}")
        self._settle()

    def _work(self, step: Step, said: Mapping[str, Any], moment: datetime) -> None:
        """A person changes the case of a customer, the one of `category` where there are several."""
        case = self._case_of(said)
        self.reader.post("cases", case["case_key"], body=said["set"])

    def _case_of(self, said: Mapping[str, Any]) -> Mapping[str, Any]:
        customer = self.reader.customer(self.story.identity_of(said["case"]))
        cases = [case for status in ("open", "closed") for case in self.reader.cases(status) if case["customer_id"] == customer]
        found = [case for case in cases if said.get("category") in (None, case["category"])]
        if not found:
            raise StoryError(f"{self.story.name}: {said['case']} has no such case")
        return found[0]

    def _merge(self, step: Step, said: Sequence[str], moment: datetime) -> None:
        one, other = (self._known(who) for who in said)
        self.reader.post("customers", one, "merge", body={"with": other, "why": step.say})

    def _split(self, step: Step, said: str, moment: datetime) -> None:
        self.reader.post("customers", self._known(said), "split", body={"identity": self.story.identity_of(said), "why": step.say})

    def _erase(self, step: Step, said: str, moment: datetime) -> None:
        customer = self._known(said)
        self.reader.post("customers", customer, "erase", body={"confirm": customer})

    def _known(self, who: str) -> str:
        customer = self.reader.customer(self.story.identity_of(who))
        if customer is None:
            raise StoryError(f"{self.story.name}: {who} is not known")
        return customer


def _turns(now: datetime, moment: datetime) -> Iterator[datetime]:
    """When the clock stops on its way; not at all where it is as late already."""
    if now >= moment:
        return
    if moment - now > _SHORT:
        days = int((moment - now) / _A_DAY)
        yield from (now + day * _A_DAY for day in range(1, days + 1) if now + day * _A_DAY < moment - _A_MINUTE)
        yield moment - _A_MINUTE
    yield moment


def _fill(value: Any, words: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        return {name: _fill(member, words) for name, member in value.items()}
    if isinstance(value, list):
        return [_fill(member, words) for member in value]
    if isinstance(value, str):
        for name, word in words.items():
            value = value.replace(f"{{{name}}}", word)
    return value


def _clock(at: timedelta) -> str:
    minutes = int(at.total_seconds()) // 60
    days, hours = divmod(minutes // 60, 24)
    return f"[{days}d {hours:02d}:{minutes % 60:02d}]" if days else f"[{hours:02d}:{minutes % 60:02d}]"
