"""A screen over the others that is left once: keys typed faster than it closes do nothing more."""

from __future__ import annotations

from textual.await_complete import AwaitComplete
from textual.screen import ModalScreen, ScreenResultType


class Modal(ModalScreen[ScreenResultType]):
    """What every dialog and menu is."""

    def drops_keys(self) -> bool:
        """Say whether a key now was meant for something else; only a dialog that decides something does."""
        return False

    async def changed(self) -> None:
        """Look at the workspace again, for it may have changed; what is shown here may be true no more."""

    def dismiss(self, result: ScreenResultType | None = None) -> AwaitComplete:
        """Leave with a result; the first one counts.

        Textual would give the second one to the same caller again, and take whatever screen is on top away.
        """
        if self.app.screen is not self:
            return AwaitComplete()
        return super().dismiss(result)
