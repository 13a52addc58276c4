"""The floor of a first frame: the smallest Textual app with a header, a sparkline and an empty table."""

from textual.app import App, ComposeResult
from textual.widgets import DataTable, Header, Sparkline, Static


class Floor(App[None]):
    def compose(self) -> ComposeResult:
        yield Header()
        yield Static("floor-is-painted")
        yield Sparkline([1, 2, 3, 4])
        yield DataTable()


if __name__ == "__main__":
    Floor().run()
