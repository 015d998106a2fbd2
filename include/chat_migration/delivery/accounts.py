"""Creating accounts. Every call here is repeatable: the account id is the vendor's own key."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from itertools import islice

from chat_migration.delivery.context import Tools, reporting
from chat_migration.delivery.crew import run_all
from chat_migration.delivery.items import call_for_all
from chat_migration.delivery.tally import RowLine
from chat_migration.errors import StoppedError
from chat_migration.ledger.states import EntityState
from chat_migration.model import Outcome, RecordType
from chat_migration.planning.tables import PlannedAccount
from chat_migration.targets.base import AccountSpec, Advice, Failure
from chat_migration.targets.verbs import Verb

_LISTED_AT_MOST = 10


class AccountImport:
    """Imports the accounts of one plan."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._known = tools.ledger.accounts()
        self._size = tools.sizes.accounts

    def run(self) -> None:
        """Create what is missing; an account that the app has is used and never changed, unless asked for.

        Raises:
            StoppedError: ``existing_accounts=refuse`` and some exist; nothing was created then.
        """
        accounts = list(self._tools.plan.accounts())
        if self._tools.settings.existing_accounts == "refuse":
            self._refuse_existing([each for each in accounts if each.account_id not in self._known])
        total = sum(bool(each.file) for each in accounts)
        with reporting(self._tools.progress, "accounts", total, "accounts"):
            run_all(
                (partial(self._batch, batch) for batch in _batches(accounts, self._size)),
                threads=self._tools.threads,
                stop=self._tools.stop,
            )

    def _batch(self, accounts: list[PlannedAccount]) -> None:
        unknown = [each for each in accounts if self._is_open(each)]
        for account in accounts:
            if account not in unknown:
                self._known_account(account)
        if unknown:
            existing = self._existing(unknown)
            fresh = [each for each in unknown if self._is_to_write(each, existing)]
            self._adopt([each for each in unknown if each not in fresh])
            self._create(fresh, existing)
        self._overwrite(accounts)
        self._tools.progress.advance(self._tools.tally.done)

    def _is_open(self, account: PlannedAccount) -> bool:
        """Tell whether there is something to do for an account: one that was refused is tried again when it changed."""
        known = self._known.get(account.account_id)
        if known is None or known[0] is EntityState.INTENT:
            return True
        return known[0] is EntityState.REJECTED and known[1] not in ("", account.written_hash)

    def _state(self, account: PlannedAccount) -> EntityState | None:
        known = self._known.get(account.account_id)
        return known[0] if known else None

    def _known_account(self, account: PlannedAccount) -> None:
        state, _, reason, run_id = self._known[account.account_id]
        if state is EntityState.REJECTED:
            self._end(account, Outcome.REJECTED, reason)
        elif state is EntityState.CREATED and run_id == self._tools.run_id:
            self._end(account, Outcome.IMPORTED)
        else:
            self._end(account, Outcome.ALREADY_IMPORTED, reason)

    def _is_to_write(self, account: PlannedAccount, existing: dict[str, bool]) -> bool:
        """Tell whether to import: it is missing, or a killed run was just about to create it."""
        return (
            not existing.get(account.account_id, False)
            or self._state(account) is EntityState.INTENT
        )

    def _existing(self, accounts: list[PlannedAccount]) -> dict[str, bool]:
        ids = [each.account_id for each in accounts]
        answer = self._tools.caller.call(
            Verb.EXISTING_ACCOUNTS, lambda: self._tools.target.existing_accounts(ids)
        )
        if isinstance(answer, Failure):
            raise self._tools.caller.stop_error(answer)
        return answer

    def _adopt(self, accounts: list[PlannedAccount]) -> None:
        if not accounts:
            return
        self._tools.ledger.record_accounts(
            {each.account_id: "" for each in accounts},
            EntityState.ADOPTED,
            self._tools.run_id,
            "adopted",
        )
        for account in accounts:
            self._end(account, Outcome.ALREADY_IMPORTED, "adopted")

    def _create(self, accounts: list[PlannedAccount], existing: dict[str, bool]) -> None:
        """Import what is missing. What a killed run was writing is there by now, but perhaps not its profile."""
        begun = [each for each in accounts if existing.get(each.account_id) and self._is_kept()]
        missing = [each for each in accounts if each not in begun]
        if missing:
            self._write(missing, Outcome.IMPORTED, Verb.IMPORT_ACCOUNTS)
        if begun:
            self._write(begun, Outcome.IMPORTED, Verb.CHANGE_ACCOUNTS)

    def _is_kept(self) -> bool:
        """Tell whether an import leaves the profile of an account that is there as it is."""
        apis = self._tools.rules.api_of
        return apis[Verb.CHANGE_ACCOUNTS] != apis[Verb.IMPORT_ACCOUNTS]

    def _overwrite(self, accounts: list[PlannedAccount]) -> None:
        """Write the profiles anew that differ from what was last written; only where that was asked for."""
        if self._tools.settings.existing_accounts != "overwrite":
            return
        known = self._tools.ledger.accounts()
        differing = [
            each
            for each in accounts
            if each.file
            and known[each.account_id][0] is not EntityState.REJECTED
            and known[each.account_id][1] != each.written_hash
        ]
        if differing:
            self._write(differing, None, Verb.CHANGE_ACCOUNTS)

    def _write(self, accounts: list[PlannedAccount], outcome: Outcome | None, verb: Verb) -> None:
        hashes = {each.account_id: each.written_hash for each in accounts}
        ledger, run_id = self._tools.ledger, self._tools.run_id
        ledger.record_accounts(hashes, EntityState.INTENT, run_id)
        specs = [
            AccountSpec(account_id=each.account_id, name=each.name, avatar_url=each.avatar_url)
            for each in accounts
        ]
        target = self._tools.target
        changes = verb is Verb.CHANGE_ACCOUNTS
        answer = call_for_all(
            self._tools, verb, specs, target.change_accounts if changes else target.import_accounts
        )
        if isinstance(answer, Failure):
            self._whole_call_failed(accounts, answer, outcome, verb)
            return
        failed = {
            each.account_id: result
            for each, result in zip(accounts, answer, strict=True)
            if isinstance(result, Failure)
        }
        ledger.record_accounts(
            {name: written for name, written in hashes.items() if name not in failed},
            EntityState.CREATED,
            run_id,
        )
        self._refused({name: hashes[name] for name in failed}, outcome)
        for account in accounts:
            refused = failed.get(account.account_id)
            if outcome is None:
                continue
            if refused is not None:
                self._end(account, Outcome.REJECTED, "account_refused", refused)
            else:
                self._end(account, outcome)

    def _whole_call_failed(
        self,
        accounts: list[PlannedAccount],
        failed: Failure,
        outcome: Outcome | None,
        verb: Verb,
    ) -> None:
        """Find what a refused call is about: halves of it, down to one account."""
        if failed.advice in (Advice.SMALLER_BATCH, Advice.REJECT_ITEM) and len(accounts) > 1:
            middle = len(accounts) // 2
            self._write(accounts[:middle], outcome, verb)
            self._write(accounts[middle:], outcome, verb)
            return
        if failed.advice is not Advice.REJECT_ITEM:
            raise self._tools.caller.stop_error(failed)
        self._refused({accounts[0].account_id: accounts[0].written_hash}, outcome)
        if outcome is not None:
            self._end(accounts[0], Outcome.REJECTED, "account_refused", failed)

    def _refused(self, hashes: dict[str, str], outcome: Outcome | None) -> None:
        """Record what was refused, with its content: nobody asks for the same again. An account that is there stays."""
        state = EntityState.REJECTED if outcome is not None else EntityState.ADOPTED
        self._tools.ledger.record_accounts(hashes, state, self._tools.run_id, "account_refused")

    def _refuse_existing(self, accounts: list[PlannedAccount]) -> None:
        found: list[str] = []
        for batch in _batches(accounts, self._size):
            existing = self._existing(batch)
            found += [each.account_id for each in batch if existing.get(each.account_id)]
        if found:
            shown = ", ".join(f"`{each}`" for each in found[:_LISTED_AT_MOST])
            raise StoppedError(
                f"The app has {len(found)} of these accounts already: {shown}.",
                expected="`existing_accounts=refuse` expects none of them.",
                advice="Use `existing_accounts=adopt` to use them unchanged.",
                done="Nothing was created.",
            )

    def _end(
        self,
        account: PlannedAccount,
        outcome: Outcome,
        reason: str = "",
        failed: Failure | None = None,
    ) -> None:
        if not account.file:
            return
        self._tools.tally.line(
            RowLine(
                record_type=RecordType.ACCOUNTS,
                outcome=outcome,
                reason=reason,
                file=account.file,
                line=account.line,
                id=account.legacy_id,
                code=failed.code if failed else None,
                detail=failed.text if failed else "",
                advice="Correct the id or the profile in the export." if failed else "",
            )
        )


def _batches(accounts: list[PlannedAccount], size: int) -> Iterator[list[PlannedAccount]]:
    remaining = iter(accounts)
    while batch := list(islice(remaining, size)):
        yield batch
