"""A batch of holds: what is known, what the rules say, the intentions. Database and peers are asked with a list."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace

from resapermis.mandate.v1.mandate_pb2 import CheckMandatesResponse
from resapermis.scheduling.v1.scheduling_pb2 import EvaluateResponse
from resapermis_basket.dependencies import Dependencies
from resapermis_basket.hold.intention import IntendedHold, group_of, intend
from resapermis_basket.hold.judgement import (
    Hold,
    MandateQuestions,
    Mandates,
    evaluation_of,
    judge_hold,
    mandate_questions,
    of_another_category,
)
from resapermis_basket.hold.queries import HoldIntention, HoldSituation, read_situations, write_intentions
from resapermis_basket.hold.queue import Queued, each, in_moments
from resapermis_basket.line.queries import ActTime

Judged = IntendedHold | HoldSituation
"""What a batch finds of a hold: its intention; or, of a command that was here before, no more than that."""
Waiting = Queued[Hold, Judged]
Reading = asyncio.Task[Mapping[Waiting, HoldSituation]]


class HoldJudge:
    """Judges the batches of a process. Who is refused, fails or waits longer than the others has that for itself alone."""

    def __init__(self, dependencies: Dependencies) -> None:
        """Nothing was read yet."""
        self._dependencies, self._peers = dependencies, dependencies.peers
        self.time: ActTime | None = None
        """The newest that the database answered."""

    async def judge(self, batch: Sequence[Waiting]) -> None:
        """Settle each: an intention that is committed, or is to be written carefully; a twin; or why neither."""
        reading = asyncio.create_task(self._read(batch))
        nothing: dict[Waiting, Mandates] = {one: {} for one in batch}
        await self._ask(reading, nothing, {one: mandate_questions(one.hold.wanted) for one in batch})

    async def _read(self, batch: Sequence[Waiting]) -> Mapping[Waiting, HoldSituation]:
        """What our own database knows. A twin's batch ends here: it is answered although mandate may be away."""
        found = await read_situations(self._dependencies.engine, [one.hold.question for one in batch])
        for one, situation in zip(batch, found, strict=True):
            self.time = situation.time
            if situation.asked_before:
                one.settle(situation)
        return dict(zip(batch, found, strict=True))

    async def _ask(
        self, reading: Reading, known: Mapping[Waiting, Mandates], questions: Mapping[Waiting, MandateQuestions]
    ) -> None:
        """Ask mandate, beside our own database, and then the rules."""

        async def evaluate(answered: Mapping[Waiting, CheckMandatesResponse]) -> None:
            situations = reading.result()
            mandates = each(
                answered, lambda one, found: {**known[one], **dict(zip(questions[one], found.answers, strict=True))}
            )
            asked = each(mandates, lambda one, of_slots: evaluation_of(one.hold, situations[one], of_slots))
            await in_moments(
                self._peers.all_evaluations(asked), lambda evaluated: self._decide(reading, mandates, evaluated)
            )

        asked = {one: list(of_slots.values()) for one, of_slots in questions.items()}
        await in_moments(self._peers.all_mandates(asked), evaluate, after=reading)

    async def _decide(
        self, reading: Reading, mandates: Mapping[Waiting, Mandates], evaluated: Mapping[Waiting, EvaluateResponse]
    ) -> None:
        """Write the intentions of all but those whose mandate is to be asked about their slot's category."""
        situations = reading.result()
        others = each(evaluated, lambda one, answer: of_another_category(one.hold.wanted, answer, mandates[one]))
        again = {one: questions for one, questions in others.items() if questions}
        decided = {one: evaluated[one] for one in others if one not in again}
        intended = each(decided, lambda one, answer: self._intend(one.hold, situations[one], mandates[one], answer))
        if again:
            await asyncio.gather(self._write(intended), self._ask(reading, mandates, again))
        else:
            await self._write(intended)

    def _intend(
        self, hold: Hold, situation: HoldSituation, mandates: Mandates, evaluated: EvaluateResponse
    ) -> tuple[IntendedHold, HoldIntention]:
        group = group_of(self._dependencies, hold, situation.time.now)
        judged = judge_hold(self._dependencies, hold, situation, mandates, evaluated, group.id)
        return intend(self._dependencies, hold, group, situation.time, judged)

    async def _write(self, intended: Mapping[Waiting, tuple[IntendedHold, HoldIntention]]) -> None:
        if not intended:
            return
        written = await write_intentions(self._dependencies.engine, [one for _, one in intended.values()])
        self._dependencies.outbox.wake_up.notify()
        for (one, (hold, _)), basket_id in zip(intended.items(), written, strict=True):
            one.settle(basket_id if isinstance(basket_id, Exception) else replace(hold, basket_id=basket_id))
