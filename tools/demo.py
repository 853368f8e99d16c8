"""`make demo`: a driving school's main job on a fresh stack of its own, over HTTP only, as a school would do it.

Each step is a line with its duration; the exit status is 0 only if every step held. Control calls to the sandbox stand
for the rest of the country: a rival school, the State, a candidate at home.
"""

import contextlib
import json
import os
import re
import shutil
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2 as httpx

from devstack.background import BackgroundStack
from devstack.components import offsets
from devstack.probes import free_port
from devstack.stack import CannotStart, Stack
from resapermis_audit import verify

FIRST_PORT, LAST_PORT, STEP = 18_080, 19_880, 100
HIGHEST_BASE_PORT = 65_500
DEPARTMENT, NEIGHBOUR, CATEGORY = "94", "92", "B"
PATIENCE_SECONDS = 30.0


class Broken(Exception):
    """A step did not hold; the message says what was seen."""


def need(seen: object, what: str, shown: object = "") -> None:
    """Raise Broken with `what` and what was shown instead, unless `seen` is true."""
    if not seen:
        msg = f"{what}{f': {shown}' if shown != '' else ''}"
        raise Broken(msg)


def until(ask: Callable[[], Any], what: str, seconds: float = PATIENCE_SECONDS) -> Any:
    """Ask again until there is something; Broken after `seconds`."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = ask()
        if found:
            return found
        time.sleep(0.1)
    msg = f"waited {seconds:.0f} s in vain for {what}"
    raise Broken(msg)


class School:
    """A school's browser: cookie, CSRF token, and the words of each answer."""

    def __init__(self, url: str, transport: httpx.BaseTransport | None = None) -> None:
        self.web = httpx.Client(base_url=url, timeout=20, follow_redirects=False, transport=transport)
        self.csrf = ""

    def sign_in(self, username: str, password: str) -> dict[str, Any]:
        """Follow RdvPermis' sign-in as a browser does, its form included."""
        response = self.web.get("/auth/login", params={"returnTo": "/creneaux"})
        for _ in range(10):
            if response.status_code == 200 and "password" in response.text:
                fields = dict(re.findall(r'<input[^>]*name="([^"]+)"[^>]*value="([^"]*)"', response.text))
                action = re.search(r'<form[^>]*action="([^"]*)"', response.text)
                place = action[1].replace("&amp;", "&") if action else ""
                fields |= {"username": username, "password": password}
                response = self.web.post(str(response.url.join(place)), data=fields)
            elif response.is_redirect:
                target = str(response.url.join(response.headers["location"]))
                if target.endswith("/creneaux"):
                    break
                response = self.web.get(target)
            else:
                msg = f"sign-in ended at {response.url.path} with {response.status_code}"
                raise Broken(msg)
        session = self.get("/auth/session")
        self.csrf = session["csrfToken"]
        return dict(session)

    def get(self, path: str, **params: Any) -> Any:
        """A question that must be answered with 200."""
        response = self.web.get(path, params=params)
        need(response.status_code == 200, f"GET {path} → {response.status_code}", response.text[:300])
        return response.json()

    def send(self, method: str, path: str, body: object = None, key: str | None = None) -> httpx.Response:
        """An act; the caller judges the answer."""
        headers = {"X-CSRF-Token": self.csrf, "Origin": str(self.web.base_url).rstrip("/")}
        if method != "GET":
            headers["Idempotency-Key"] = key or str(uuid.uuid4())
        return self.web.request(method, path, json=body if body is not None else {}, headers=headers)

    def act(self, method: str, path: str, body: object = None, expect: tuple[int, ...] = (200, 201)) -> Any:
        """An act that must end in one of `expect`."""
        response = self.send(method, path, body)
        need(response.status_code in expect, f"{method} {path} → {response.status_code}", response.text[:400])
        return response.json() if response.content else {}


@dataclass(frozen=True)
class Places:
    """Where a stack is reached: the web face, the sandbox, the mail catcher's page; and what carries requests there."""

    web: str
    sandbox: str
    mail: str
    transport: Callable[[], httpx.BaseTransport | None] = lambda: None

    @classmethod
    def of(cls, stack: Stack) -> "Places":
        """Those of a stack on loopback."""
        return cls(stack.url, stack.settings.sandbox_url, f"http://localhost:{stack.ports.mail_web}")

    def client(self, url: str = "") -> httpx.Client:
        """A client without cookies of any other."""
        return httpx.Client(base_url=url, timeout=20, transport=self.transport())


class Demo:
    """The steps, in order; each returns the sentence that is shown."""

    def __init__(self, places: Places) -> None:
        """Clients of the platform, of RdvPermis' controls and of the mail catcher."""
        self.places = places
        self.school = School(places.web, places.transport())
        self.state = places.client(f"{places.sandbox}/control")
        self.mailbox = places.client(places.mail)
        self.candidates: list[str] = []
        self.mandates: list[str] = []
        self.chosen: list[dict[str, Any]] = []
        self.group: dict[str, Any] = {}
        self.booked: dict[str, Any] = {}

    def steps(self) -> Iterator[tuple[str, Callable[[], str]]]:
        """What a school does in a morning."""
        yield "sign in through RdvPermis", self.sign_in
        yield "write down two candidates", self.write_candidates
        yield "ask for their mandates", self.ask_mandates
        yield "the candidates accept by mail", self.accept
        yield "search slots of the department", self.search
        yield "hold 3, one just taken elsewhere", self.hold
        yield "ask for 5 at once", self.five
        yield "ask for another department's slot", self.territory
        yield "name the candidates", self.name
        yield "validate", self.validate
        yield "the same click again", self.again
        yield "read the notifications", self.notifications
        yield "read the mails", self.mails
        yield "read and verify the journal", self.journal
        yield "compare with the State", self.compare
        yield "sign out", self.sign_out

    def _control(self, method: str, path: str, **more: Any) -> Any:
        response = self.state.request(method, path, **more)
        need(response.is_success, f"sandbox {method} {path} → {response.status_code}", response.text[:200])
        return response.json() if response.content else None

    def sign_in(self) -> str:
        """OIDC code flow, form included."""
        login = self._control("GET", "/logins", params={"department": f"0{DEPARTMENT}", "count": 1})[0]
        session = self.school.sign_in(login["username"], login["password"])
        need(session["school"]["department"] == DEPARTMENT, "the school's department", session["school"])
        return f"{session['school']['name']}, {', '.join(session['roles'])}"

    def write_candidates(self) -> str:
        """Two people of the sandbox who have no mandate; and a NEPH that nobody has."""
        for person in self._control("GET", "/candidates/free", params={"group": CATEGORY, "count": 2}):
            body = {"lastName": person["last_name"], "firstName": person["first_name"], "neph": person["neph"]}
            made = self.school.act("POST", "/api/v1/candidates", body | {"email": person["email"]})
            self.candidates.append(made["id"])
        stranger = {"lastName": "Personne", "firstName": "Aucune", "neph": "999999999999", "email": "p@mail.example"}
        unknown = self.school.act("POST", "/api/v1/candidates", stranger)["id"]
        body = {"candidateId": unknown, "category": CATEGORY}
        refused = self.school.send("POST", "/api/v1/mandates", body)
        need(refused.status_code in {409, 422}, "an unknown NEPH is refused", refused.text[:300])
        need(refused.json()["rdvpermisCode"] == "CANDIDAT_INCONNU", "with RdvPermis' reason", refused.json())
        return f"2 kept; an unknown NEPH was refused: « {refused.json()['detail']} »"

    def ask_mandates(self) -> str:
        """Pending until the candidates answer."""
        for candidate in self.candidates:
            body = {"candidateId": candidate, "category": CATEGORY}
            mandate = self.school.act("POST", "/api/v1/mandates", body)
            need(mandate["state"] == "pending", "pending", mandate["state"])
            self.mandates.append(mandate["id"])
        return "both pending"

    def accept(self) -> str:
        """Each opens the link in their mail and accepts."""

        def links() -> list[str]:
            text = json.dumps(self.mailbox.get("/api/mails").json())
            page = re.escape(self.places.sandbox) + r"/[A-Za-z0-9/_-]*mandat[A-Za-z0-9/_?=&.-]*"
            return sorted(set(re.findall(page, text)))

        for link in until(lambda: links() if len(links()) >= 2 else None, "two mails with a link"):
            with self.places.client() as home:
                page = home.get(link)
                need(page.status_code == 200, "the candidate's page", page.status_code)
                form = re.search(r'<form[^>]*action="([^"]*)"', page.text)
                target = page.url.join(form[1].replace("&amp;", "&")) if form and form[1] else page.url
                fields = dict(re.findall(r'<input[^>]*name="([^"]+)"[^>]*value="([^"]*)"', page.text))
                button = re.search(r'<button[^>]*name="([^"]+)"[^>]*value="([^"]*)"', page.text)
                if button:
                    fields[button[1]] = button[2]
                answered = home.post(str(target), data=fields)
                need(answered.status_code < 400, "accepting", answered.status_code)
        for mandate in self.mandates:
            self.school.act("POST", f"/api/v1/mandates/{mandate}/refresh")

        def active() -> bool:
            states = {m["id"]: m["state"] for m in self.school.get("/api/v1/mandates")["items"]}
            return all(states[mandate] == "active" for mandate in self.mandates)

        until(active, "two active mandates")
        return "both active"

    def _open_slots(self, department: str, first: date, last: date) -> list[dict[str, Any]]:
        page = self.school.get(
            "/api/v1/slots", department=department, category=CATEGORY, **{"from": str(first), "to": str(last)}
        )
        return [slot for slot in page["items"] if slot["status"] == "free"]

    def search(self) -> str:
        """Two weeks from next week on; what has never been polled fills in while we wait."""
        first = datetime.now(UTC).date() + timedelta(days=8)
        first -= timedelta(days=first.weekday())
        first = max(first, datetime.now(UTC).date() + timedelta(days=2))

        def three() -> list[dict[str, Any]] | None:
            found = [slot for slot in self._open_slots(DEPARTMENT, first, first + timedelta(days=6)) if slot["allowed"]]
            return found if len(found) >= 8 else None

        found = until(three, "eight open slots")
        self.chosen = found[:8]
        return f"{len(found)} open, the first {found[0]['startsAt']} at {found[0]['centre']['name']}"

    def hold(self) -> str:
        """A rival is faster on one of the three."""
        gone = self.chosen[1]
        self._control("POST", "/rivals/take", json={"slot": gone["id"]})
        asked = [{"slotId": self.chosen[0]["id"]}, {"slotId": gone["id"]}, {"slotId": self.chosen[2]["id"]}]
        answer = self.school.act("POST", "/api/v1/basket/items", {"items": asked}, expect=(207,))
        states = {result["slotId"]: result for result in answer["results"]}
        need(states[gone["id"]]["state"] == "refused", "the taken one is refused", answer["results"])
        need([r["state"] for r in answer["results"]].count("held") == 2, "two are held", answer["results"])
        self.group = answer["group"]
        return f"2 held until {self.group['expiresAt'][11:16]} UTC; « {states[gone['id']]['problem']['detail']} »"

    def five(self) -> str:
        """The rule of four."""
        asked = [{"slotId": slot["id"]} for slot in self.chosen[3:8]]
        refused = self.school.send("POST", "/api/v1/basket/items", {"items": asked})
        need(refused.status_code == 409, "refused with 409", f"{refused.status_code} {refused.text[:300]}")
        rules = [v["rule"] for v in refused.json()["verdicts"] if not v["allowed"]]
        need("R-GROUP" in rules, "R-GROUP refuses", rules)
        return f"{', '.join(rules)}: « {refused.json()['detail']} »"

    def territory(self) -> str:
        """A neighbour's fresh slots are its own schools' for 48 hours."""
        centres = self.school.get("/api/v1/centres", department=NEIGHBOUR, category=CATEGORY)["items"]
        day = datetime.now(UTC).date() + timedelta(days=9)
        while day.weekday() > 4:
            day += timedelta(days=1)
        body = {"centre": centres[0]["id"], "group": CATEGORY, "date": str(day), "starts": ["17:00"]}
        slot_id = self._control("POST", "/slots/publish", json=body)[0]

        def judged() -> dict[str, Any] | None:
            slots = self._open_slots(NEIGHBOUR, day, day + timedelta(days=1))
            return next((slot for slot in slots if slot["id"] == slot_id), None)

        seen = until(judged, "the fresh slot")
        need(not seen["allowed"], "shown as closed", seen)
        refused = self.school.send("POST", "/api/v1/basket/items", {"items": [{"slotId": slot_id}]})
        body = refused.json()
        verdicts = body.get("verdicts") or body["results"][0]["problem"]["verdicts"]
        territory = next(v for v in verdicts if v["rule"] == "R-TERRITORY")
        need(not territory["allowed"] and territory["opensAt"], "R-TERRITORY with its moment", territory)
        return f"R-TERRITORY ({territory['source']}), opens at {territory['opensAt'][:16]}"

    def name(self) -> str:
        """One candidate a line."""
        held = [line for line in self.group["lines"] if line["state"] == "held"]
        for line, candidate in zip(held, self.candidates, strict=True):
            named = self.school.act("PUT", f"/api/v1/basket/items/{line['id']}/candidate", {"candidateId": candidate})
            need(json.dumps(named).count(candidate), "named", named)
        return "2 named"

    def validate(self) -> str:
        """The State takes one of the two slots back just before."""
        held = [line for line in self.group["lines"] if line["state"] == "held"]
        self._control("POST", "/slots/withdraw", json={"slot": held[1]["slot"]["id"]})
        self.key = str(uuid.uuid4())
        answer = self.school.send("POST", "/api/v1/basket/validation", {"groupId": self.group["id"]}, self.key)
        need(answer.status_code == 207, "207", f"{answer.status_code} {answer.text[:400]}")
        self.answer = answer.json()
        states = {result["lineId"]: result for result in self.answer["results"]}
        need(states[held[0]["id"]]["state"] == "booked", "one booked", self.answer["results"])
        need(states[held[1]["id"]]["state"] in {"rejected", "withdrawn"}, "one refused", self.answer["results"])
        self.booked = held[0]
        return f"1 booked, 1 refused: « {states[held[1]['id']]['problem']['detail']} »"

    def again(self) -> str:
        """A double click changes nothing."""
        answer = self.school.send("POST", "/api/v1/basket/validation", {"groupId": self.group["id"]}, self.key)
        same = {r["lineId"]: r["state"] for r in answer.json()["results"]}
        need(same == {r["lineId"]: r["state"] for r in self.answer["results"]}, "the same answer", answer.text[:300])
        return "the same answer, nothing booked twice"

    def notifications(self) -> str:
        """The inbox has a notice of the booking, in words."""

        def noticed() -> Any:
            notices = self.school.get("/api/v1/notifications")["items"]
            return next(
                (n for n in notices if n["kind"].startswith("booking.") and n["objectId"] == self.booked["id"]), None
            )

        notice = until(noticed, "the notice of the booking")
        return f"« {notice['text']['fr']} »"

    def mails(self) -> str:
        """School and candidate are written to; the subject names nobody; the calendar entry is attached."""

        def sent() -> Any:
            mails = self.mailbox.get("/api/mails").json()
            booked = [mail for mail in mails if "VCALENDAR" in json.dumps(mail) or ".ics" in json.dumps(mail)]
            return booked if len({tuple(mail["to"]) for mail in booked}) >= 2 else None

        booked = until(sent, "two mails with a calendar entry")
        return f"{len(booked)} mails, « {booked[-1]['subject']} », with .ics"

    def journal(self) -> str:
        """Every act of ours, each proved offline against the signed checkpoint."""
        wanted = {"basket.hold", "booking.confirm"}

        def recorded() -> Any:
            items = self.school.get("/api/v1/audit/records", limit=100)["items"]
            mine = [r for r in items if r["leafIndex"] is not None]
            return mine if wanted <= {r["action"] for r in mine} else None

        records = until(recorded, f"{wanted} in the journal")
        key = self.school.get("/api/v1/audit/checkpoint")["verifierKey"]
        for record in records[:10]:
            proof = self.school.get(f"/api/v1/audit/records/{record['id']}/proof")
            try:
                verify.check(proof, key)
            except verify.ProofInvalid as finding:
                raise Broken(str(finding)) from finding
        return f"{len(records)} records, {min(10, len(records))} proved"

    def compare(self) -> str:
        """The State's own books say the same as ours."""
        truth = self._control("GET", "/state")
        need(truth["oversold"] == 0, "nothing sold twice", truth["oversold"])
        slot = self.booked["slot"]["id"]
        need(
            [e for e in truth["exams"] if e["slot"] == slot and e["state"] == "PROGRAMME"], "the State has the booking"
        )
        bookings = self.school.get("/api/v1/bookings", filter="upcoming")["items"]
        need([b["slot"]["id"] for b in bookings] == [slot], "we have that one booking", len(bookings))
        return "one booking here, the same one there, oversold 0"

    def sign_out(self) -> str:
        """The session is dead at once."""
        self.school.act("POST", "/auth/logout")
        need(self.school.web.get("/auth/session").status_code == 401, "no session any more")
        return "session and tokens are gone"


def morning(places: Places) -> bool:
    """Do every step, a line each; False, and no further step, where one does not hold."""
    for title, step in Demo(places).steps():
        since = time.monotonic()
        try:
            outcome = step()
        except (Broken, httpx.HTTPError, KeyError, IndexError, ValueError) as reason:
            print(f"✕ {title:<36}{time.monotonic() - since:6.2f} s  {type(reason).__name__}: {reason}", flush=True)
            return False
        print(f"✓ {title:<36}{time.monotonic() - since:6.2f} s  {outcome}", flush=True)
    return True


def free_base() -> int:
    """A base port whose whole range is free."""
    try:
        return free_port(offsets(), FIRST_PORT, STEP, (LAST_PORT - FIRST_PORT) // STEP)
    except OSError as reason:
        raise Broken(str(reason)) from None


def chosen_base() -> int:
    """The base port that RESAPERMIS_PORT asks for, else one whose whole range is free; Broken when it cannot be."""
    asked = os.environ.get("RESAPERMIS_PORT", "")
    if not asked:
        return free_base()
    if not asked.isdecimal() or not 1 <= int(asked) <= HIGHEST_BASE_PORT:
        msg = f"RESAPERMIS_PORT={asked} is no port number from 1 to {HIGHEST_BASE_PORT}"
        raise Broken(msg)
    return int(asked)


def main() -> int:
    """Start, do, stop. `DEMO_KEEP=1` keeps the data; RESAPERMIS_PORT says where (a free port otherwise)."""
    home = Path(tempfile.mkdtemp(prefix="resapermis-demo-"))
    home.chmod(0o755)  # as root, PostgreSQL runs as another user and must reach its folder
    failed = False
    try:
        base = chosen_base()
        print(f"A driving school's morning, on a fresh stack (port {base})", flush=True)
        since = time.monotonic()
        with BackgroundStack(Stack(home, base)) as background:
            print(f"  {'start the platform':<36}{time.monotonic() - since:6.2f} s", flush=True)
            failed = not morning(Places.of(background.stack))
    except (CannotStart, Broken) as reason:
        print(f"the stack cannot start: {reason}", file=sys.stderr)
        failed = True
    if failed or os.environ.get("DEMO_KEEP"):
        print(f"  logs: {home}/log")
    else:
        with contextlib.suppress(OSError):
            shutil.rmtree(home)
    print("every step held" if not failed else "NOT every step held", flush=True)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
