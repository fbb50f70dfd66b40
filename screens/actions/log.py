"""What can be done in the log."""

from __future__ import annotations

from screens.actions.model import Action, Scope

LOG_ACTIONS: tuple[Action, ...] = (
    Action("follow", "Follow", ("f",), Scope.LOG, "Follow the end of the log, or stop.", footer=True),
    Action("wrap", "Wrap", ("w",), Scope.LOG, "Wrap long lines, or cut them.", footer=True),
    Action("times", "Times", ("t",), Scope.LOG, "Each line's time, then the time since the beginning."),
    Action("next-error", "Error", ("e",), Scope.LOG, "Go to the next error.", footer=True),
    Action("previous-error", "Error before", ("E",), Scope.LOG, "Go to the error before."),
    Action("unfold", "Lay out", ("enter",), Scope.LOG, "Lay out the line of JSON here, or fold it again."),
    Action("lay-out", "All JSON", ("J",), Scope.LOG, "Lay out every line of JSON, or none."),
    Action("select", "Select", ("V",), Scope.LOG, "Select lines from here; y copies, S saves, esc ends it."),
    Action("more-context", "More around", ("plus",), Scope.LOG, "Only hits, one more line around each."),
    Action("less-context", "Less around", ("minus",), Scope.LOG, "Only hits, one line less around each."),
    Action("save-log", "Save", ("S",), Scope.LOG, "Write the log, its hits or the selection into a file."),
    Action("edit-log", "Editor", ("o",), Scope.LOG, "Open a clean copy of the log in your editor, here."),
    Action("page-log", "Pager", ("p",), Scope.LOG, "Open a clean copy of the log in your pager, here."),
)
