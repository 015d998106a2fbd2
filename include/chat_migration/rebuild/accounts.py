"""Which of the planned accounts the app has."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from itertools import islice

from chat_migration.delivery.crew import run_all
from chat_migration.ledger.states import EntityState
from chat_migration.model import RecordType
from chat_migration.planning.tables import PlannedAccount
from chat_migration.rebuild.findings import Found
from chat_migration.rebuild.ground import Ground
from chat_migration.targets.base import Failure
from chat_migration.targets.verbs import Verb

_KNOWN = (EntityState.CREATED, EntityState.ADOPTED)


class AccountRebuild:
    """Restores accounts. What was written of their profiles is not known, so nothing is claimed about it."""

    def __init__(self, ground: Ground) -> None:
        self._ground, self._tools = ground, ground.tools
        self._known = {name: state for name, (state, *_) in self._tools.ledger.accounts().items()}

    def run(self) -> None:
        """Ask for every account that the ledger does not have as being there."""
        accounts = self._tools.plan.accounts()
        run_all(
            (
                partial(self._batch, batch)
                for batch in _batches(accounts, self._tools.sizes.accounts)
            ),
            threads=self._tools.threads,
            stop=self._tools.stop,
        )

    def _batch(self, accounts: list[PlannedAccount]) -> None:
        known = {each.account_id for each in accounts if self._is_known(each.account_id)}
        unknown = [each.account_id for each in accounts if each.account_id not in known]
        there = self._existing(unknown)
        # A run that was about to create one writes it again: only that run's ledger knows whether it did.
        restored = {each for each in there if self._known.get(each) is not EntityState.INTENT}
        self._tools.ledger.record_accounts(
            dict.fromkeys(sorted(restored), ""), EntityState.ADOPTED, self._tools.run_id, "rebuilt"
        )
        self._ground.accounts.update(known | there)
        for account in accounts:
            if account.file:
                self._count(account.account_id, known, there)

    def _is_known(self, account_id: str) -> bool:
        return self._known.get(account_id) in _KNOWN

    def _existing(self, accounts: list[str]) -> set[str]:
        if not accounts:
            return set()
        answer = self._tools.caller.call(
            Verb.EXISTING_ACCOUNTS, lambda: self._tools.target.existing_accounts(accounts)
        )
        if isinstance(answer, Failure):
            raise self._tools.caller.stop_error(answer)
        return {name for name, exists in answer.items() if exists}

    def _count(self, account_id: str, known: set[str], there: set[str]) -> None:
        found = Found.KNOWN if account_id in known else Found.MISSING
        self._ground.findings.count(
            RecordType.ACCOUNTS, Found.RESTORED if account_id in there else found
        )


def _batches(accounts: Iterator[PlannedAccount], size: int) -> Iterator[list[PlannedAccount]]:
    while batch := list(islice(accounts, size)):
        yield batch
