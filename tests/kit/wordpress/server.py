"""WordPress over HTTP: posts with their meta and comments, application passwords, and the routes of the plugin with its capability.

What the plugin answers follows infra/crm/wordpress/caseline.php route by route; what WordPress itself does, its own REST API.
"""

from __future__ import annotations

import base64
import html
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from tests.kit.simulated import Call, Reply, Simulator

Row = dict[str, Any]
ME, PASSWORD, ROOT, PAGE = "caseline", "abcd EFGH ijkl MNOP qrst UVWX", "/wp-json", 200
TYPES = {"cases": "wpcrm-task", "people": "wpcrm-contact", "accounts": "wpcrm-organization"}
ENTITY = {"wpcrm-task": "case", "wpcrm-contact": "contact", "wpcrm-organization": "account"}
TASK = {"status": "_wpcrm_task-status", "priority": "_wpcrm_task-priority", "owner": "_wpcrm_task-assignment"}
OWN = ("version", "score", "band", "headline", "reasons", "category", "queue", "link")
MOOD = ("sentiment", "sentiment_trend", "last_nps", "last_csat", "last_ces", "unanswered", "channels", "last_contact", "health")
CHOICES = {"status": ("not-started", "in-progress", "on-hold", "complete"), "priority": ("", "low", "medium", "high")}


class WpError(Exception):
    def __init__(self, status: int, code: str, message: str, **params: str) -> None:
        self.reply = Reply(status, {"code": code, "message": message, "data": {"status": status, **({"params": params} if params else {})}})


def by_status(status: int) -> dict[str, Any]:
    return {"code": "rest_error", "message": "ann@example.com is not what it should be", "data": {"status": status}}


class Site(Simulator):
    """`rights` are the capabilities of each user; `locks` is how often a case is being written by somebody else yet."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        super().__init__()
        self.clock, self.last_id = clock, 10
        self.posts, self.comments, self.log = dict[int, Row](), dict[int, Row](), dict[tuple[str, int], Row]()
        self.passwords, self.rights, self.locks = {ME: PASSWORD}, {ME: {"read", "caseline_bridge"}}, dict[int, int]()

    # WordPress.
    def insert(self, kind: str, title: str, meta: Mapping[str, Any], by: str = "mara", status: str = "private") -> Row:
        self.last_id += 1
        post = {"id": self.last_id, "type": kind, "title": title, "status": status, "meta": {key: str(value) for key, value in meta.items() if value != ""}}
        self.posts[self.last_id] = post
        self._mark_post(post, by)
        return post

    def set_meta(self, post_id: int, values: Mapping[str, Any], by: str = "mara") -> None:
        post = self.posts[post_id]
        kept = {key: value for key, value in post["meta"].items() if key not in values}
        post["meta"] = kept | {key: str(value) for key, value in values.items() if value is not None}
        self._mark_post(post, by)

    def trash(self, post_id: int, by: str = "mara") -> None:
        post = self.posts.pop(post_id)
        self.mark("deleted", post_id, by, ENTITY[post["type"]])

    def comment(self, post_id: int, text: str, by: str = "mara", public: bool = False) -> None:
        """Text is kept as HTML."""
        self.last_id += 1
        self.comments[self.last_id] = {"id": self.last_id, "post": post_id, "content": html.escape(text, quote=False), "by": by, "public": public}
        if self.posts[post_id]["meta"].get("_cx_case_key"):
            self.mark("comments", self.last_id, by)

    def _mark_post(self, post: Row, by: str) -> None:
        kind = next((kind for kind, known in TYPES.items() if known == post["type"]), "")
        if kind:
            self.mark(kind, post["id"], by)

    def mark(self, kind: str, record: int, by: str, entity: str = "") -> None:
        self.log[kind, record] = {"kind": kind, "record": record, "at": f"{self.clock():%Y-%m-%dT%H:%M:%S.%fZ}", "by": by, "entity": entity}

    def of(self, kind: str) -> list[Row]:
        return [post for post in self.posts.values() if post["type"] == TYPES[kind]]

    # HTTP.
    def answer(self, call: Call) -> Reply:
        try:
            return self._route(call)
        except WpError as error:
            return error.reply

    def _user(self, call: Call) -> str:
        """A wrong application password makes an anonymous caller, who may read what is public."""
        kind, _, proof = call.headers.get("Authorization", "").partition(" ")
        name, _, password = base64.b64decode(proof).decode().partition(":") if kind == "Basic" else ("", "", "")
        known = self.passwords.get(name, "").replace(" ", "")
        return name if known and known == password.replace(" ", "") else ""

    def _route(self, call: Call) -> Reply:
        space = f"{ROOT}/caseline/v1"
        routes: Mapping[tuple[str, str], Callable[..., Reply]] = {
            ("GET", "/status"): lambda call: Reply(200, {"user": ME, "crm": True}), ("GET", "/people"): self._find, ("POST", "/people"): self._make_person,
            ("POST", r"/people/(\d+)"): lambda call, post: self._mood(call, "people", post), ("POST", r"/accounts/(\d+)"): lambda call, post: self._mood(
                call, "accounts", post
            ), ("GET", "/cases"): self._list, ("POST", "/cases"): self._make_case, ("GET", r"/cases/(\d+)"): self._read_case,
            ("POST", r"/cases/(\d+)"): self._change_case, ("POST", r"/cases/(\d+)/erase"): self._erase,
            ("GET", r"/changes/(cases|people|accounts|comments|deleted)"): self._changes,
        }  # fmt: skip
        for (method, pattern), handler in routes.items():
            found = re.fullmatch(space + pattern, call.path)
            if found and method == call.method:
                self._allow(self._user(call))
                return handler(call, *found.groups())
        if call.path == f"{ROOT}/wp/v2/types":
            return Reply(200, {"post": {"slug": "post", "rest_base": "posts"}, "page": {"slug": "page", "rest_base": "pages"}})
        raise WpError(404, "rest_no_route", "No route was found matching the URL and request method.")

    def _allow(self, user: str) -> None:
        if not user:
            raise WpError(401, "rest_forbidden", "Log in with an application password.")
        if "caseline_bridge" not in self.rights.get(user, ()):
            raise WpError(403, "rest_forbidden", "This user lacks the capability caseline_bridge.")

    def _post(self, kind: str, post_id: str | int) -> Row:
        post = self.posts.get(int(post_id))
        if not post or post["type"] != TYPES[kind] or post["status"] not in ("publish", "private"):
            raise WpError(404, "rest_post_invalid_id", "Invalid post ID.")
        return post

    # People and accounts.
    def _find(self, call: Call) -> Reply:
        wanted = {name: [each for each in call.queries.get(f"{name}[]", ()) if each] for name in ("email", "phone", "handle")}
        found = [post for post in self.of("people") if self._may_be(post["meta"], wanted, call.query.get("key", ""))]
        return Reply(200, {"people": [self._person(post) for post in found][:50]})

    def _may_be(self, meta: Mapping[str, str], wanted: Mapping[str, list[str]], key: str) -> bool:
        """MySQL's collation folds case; what follows a number is no part of it."""
        phones = [re.sub(r"\D", "", meta.get(f"_wpcrm_contact-{name}", "")) for name in ("phone", "mobile-phone")]
        return (
            meta.get("_wpcrm_contact-email", "").lower() in [email.lower() for email in wanted["email"]]
            or any(phone and phone.endswith(each[-6:]) for phone in phones for each in wanted["phone"])
            or any(each.lower() in meta.get("_cx_handles", "").lower() for each in wanted["handle"])
            or bool(key and meta.get("_cx_customer_key") == key)
        )

    def _person(self, post: Row) -> Row:
        meta, account = post["meta"], self.posts.get(int(post["meta"].get("_wpcrm_contact-attach-to-organization") or 0))
        phones = [meta[f"_wpcrm_contact-{name}"] for name in ("phone", "mobile-phone") if meta.get(f"_wpcrm_contact-{name}")]
        email = meta.get("_wpcrm_contact-email")
        return {
            "id": post["id"], "name": post["title"], "emails": [email] if email else [], "phones": phones, "handles": meta.get("_cx_handles", ""),
            "customer_key": meta.get("_cx_customer_key", ""), "account": self._account(account) if account else None,
        }  # fmt: skip

    def _account(self, post: Row) -> Row:
        of_it = [each["meta"] for each in self.posts.values() if str(post["id"]) in (
            each["meta"].get("_wpcrm_opportunity-attach-to-organization"), each["meta"].get("_wpcrm_task-attach-to-organization"))]  # fmt: skip
        won = [float(meta["_wpcrm_opportunity-value"]) for meta in of_it if meta.get("_wpcrm_opportunity-wonlost") == "won"]
        is_open = [meta for meta in of_it if meta.get("_cx_case_key") and meta.get("_wpcrm_task-status") != "complete"]
        facts = {name: post["meta"].get(f"_cx_{name}", "") for name in ("tier", "product_tier", "lifecycle", "renewal_date", "contract_status")}
        return {"id": post["id"], "name": post["title"], "url": self._edit(post), "deal_value": sum(won) if won else None, "open_cases": len(is_open), **facts}

    def _edit(self, post: Row) -> str:
        return f"{self.url}/wp-admin/post.php?post={post['id']}&action=edit"

    def _make_person(self, call: Call) -> Reply:
        given = call.body or {}
        key = given.get("customer_key", "")
        known = next((post for post in self.of("people") if key and post["meta"].get("_cx_customer_key") == key), None)
        meta = {f"_wpcrm_contact-{name.replace('_', '-')}": given.get(name, "") for name in ("first_name", "last_name", "email", "phone")}
        meta |= {"_cx_handles": ";".join(given.get("handles") or ()), "_cx_customer_key": key, "_cx_origin": given.get("origin", "")}
        return Reply(200, self._person(known or self.insert("wpcrm-contact", given.get("name", ""), meta, ME)))

    def _mood(self, call: Call, kind: str, post_id: str) -> Reply:
        post = self._post(kind, post_id)
        self.set_meta(post["id"], {f"_cx_{name}": value for name, value in (call.body or {}).items() if name in MOOD}, ME)
        return Reply(200, {"id": post["id"]})

    # Cases.
    def _list(self, call: Call) -> Reply:
        ours = [post for post in self.of("cases") if post["meta"].get("_cx_case_key")]
        if key := call.query.get("key", ""):
            return Reply(200, {"cases": [self._case(post) for post in ours if post["meta"]["_cx_case_key"].lower() == key.lower()]})
        behind = [post for post in ours if post["id"] > int(call.query.get("after") or 0)]
        return Reply(200, {"cases": [self._case(post) for post in behind[:PAGE]]})

    def _make_case(self, call: Call) -> Reply:
        given = call.body or {}
        if not given.get("case_key"):
            raise WpError(400, "rest_missing_callback_param", "Missing parameter(s): case_key", case_key="missing")
        self._check(given)
        if any(post["meta"].get("_cx_case_key") == given["case_key"] for post in self.of("cases")):
            raise WpError(409, "caseline_duplicate", "There is a case with this key.")
        links = {"_wpcrm_task-attach-to-contact": given.get("contact_id", ""), "_wpcrm_task-attach-to-organization": given.get("account_id", "")}
        post = self.insert("wpcrm-task", given.get("subject", ""), {"_cx_case_key": given["case_key"], "_wpcrm_task-status": "not-started", **links}, ME)
        post["content"] = html.escape(str(given.get("description") or ""), quote=False)
        self._write(post, given)
        return Reply(201, self._case(post))

    def _read_case(self, call: Call, post_id: str) -> Reply:
        return Reply(200, self._case(self._post("cases", post_id)))

    def _change_case(self, call: Call, post_id: str) -> Reply:
        post = self._post("cases", post_id)
        self._check(call.body or {})
        if self.locks.get(post["id"], 0) > 0:
            self.locks[post["id"]] -= 1
            raise WpError(423, "caseline_locked", "Somebody else is writing it.")
        self._write(post, call.body or {})
        return Reply(200, self._case(post))

    def _erase(self, call: Call, post_id: str) -> Reply:
        post, given = self._post("cases", post_id), call.body or {}
        ours = [each["id"] for each in self.comments.values() if each["post"] == post["id"] and each["by"] == ME and "[cx:" in each["content"]]
        for comment_id in ours:
            del self.comments[comment_id]
            self.log.pop(("comments", comment_id), None)
        if given.get("subject"):
            post |= {"title": given["subject"], "content": html.escape(given["subject"], quote=False)}
            self._mark_post(post, ME)
        return Reply(200, self._case(post))

    def _check(self, given: Mapping[str, Any]) -> None:
        for name, known in CHOICES.items():
            if given.get(name) is not None and given[name] not in known:
                raise WpError(400, "rest_invalid_param", f"Invalid parameter(s): {name}", **{name: "unknown"})
        for name, kind in (("contact_id", "people"), ("account_id", "accounts")):
            value = str(given.get(name) or "")
            if value and not (value.isascii() and value.isdigit() and self.posts.get(int(value), {}).get("type") == TYPES[kind]):
                raise WpError(400, "caseline_stranger", f"There is no such record: {name}", **{name: "unknown"})

    def _write(self, post: Row, given: Mapping[str, Any]) -> None:
        own = {name: value for name, value in (given.get("caseline") or {}).items() if name in OWN}
        values = {f"_cx_{name}": value for name, value in own.items()} if int(own.get("version", 0)) >= int(post["meta"].get("_cx_version") or 0) else {}
        self.set_meta(post["id"], {**values, **{field: given[name] for name, field in TASK.items() if given.get(name) is not None}}, ME)
        for name, is_public in (("note", False), ("answer", True)):
            if given.get(name):
                self.comment(post["id"], given[name], ME, is_public)

    def _case(self, post: Row) -> Row:
        meta = post["meta"]
        return {
            "id": post["id"], "case_key": meta.get("_cx_case_key", ""), "url": self._edit(post), "outcome": meta.get("_cx_outcome", ""),
            "notes": [each["content"] for each in self.comments.values() if each["post"] == post["id"]],
            "caseline": {name: meta.get(f"_cx_{name}", "") for name in ("version", "band", "queue")}, **{name: meta.get(key, "") for name, key in TASK.items()},
        }  # fmt: skip

    # What changed.
    def _changes(self, call: Call, kind: str) -> Reply:
        after, limit = (call.query.get("after", ""), int(call.query.get("after_id") or 0)), min(PAGE, int(call.query.get("limit") or PAGE))
        rows = sorted((entry for entry in self.log.values() if entry["kind"] == kind), key=lambda entry: (entry["at"], entry["record"]))
        return Reply(200, {"rows": [self.row(entry) for entry in rows if (entry["at"], entry["record"]) > after][:limit]})

    def row(self, entry: Row) -> Row:
        """As polls and webhooks tell it."""
        stamp = {"id": entry["record"], "at": entry["at"], "by": entry["by"]}
        if entry["kind"] == "deleted":
            return {**stamp, "entity": entry["entity"]}
        if entry["kind"] == "comments":
            comment = self.comments[entry["record"]]
            post = self.posts.get(comment["post"])
            text = {"text": html.unescape(comment["content"]), "public": comment["public"]}
            return {**stamp, "case_id": post["id"], "case_key": post["meta"].get("_cx_case_key", ""), **text} if post else stamp
        post = self.posts.get(entry["record"])
        show = {"cases": self._case, "people": self._person, "accounts": self._account}
        return {**show[entry["kind"]](post), **stamp} if post else stamp
