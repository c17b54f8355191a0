"""What ``make demo`` shows: the first answers in the terminal, and the first tutorial as a page to read."""

import pandas as pd
from nbconvert import HTMLExporter
from render import FOLDER, executed

import flowlens as fl

PAGE = FOLDER.parent / "demo.html"
BAR = 48  # characters


def bars(timeline: pd.DataFrame) -> str:
    """Draw accepted and refused flows per hour with one character for a share of the busiest hour."""
    hours = timeline.set_index(["start", "action"])["flows"].unstack(fill_value=0)
    scale = BAR / hours.sum(axis=1).max()
    return "\n".join(
        f"{hour:%H:%M}  {'█' * round(row['ACCEPT'] * scale)}{'░' * round(row['REJECT'] * scale)}"
        f"  {row['ACCEPT']:,} + {row['REJECT']:,}"
        for hour, row in hours.iterrows()
    )


def main() -> None:
    """Print the answers and write the page."""
    df = fl.sample()
    first, last = df.flow.window
    print(f"{len(df):,} flow log records of one day, {first:%d %B %Y %H:%M} to {last:%d %B %Y %H:%M} UTC\n")
    print(f"Who sends most\n{df.flow.top_talkers(5).to_string(index=False)}\n")
    refused = df.flow.rejected().flow.pairs(5, by="flows", keys=("srcaddr", "dstaddr", "dstport"))
    print(f"What is refused most\n{refused.to_string(index=False)}\n")
    print(f"When: flows per hour, accepted █ and refused ░\n{bars(df.flow.timeline('1h'))}\n")
    page, _ = HTMLExporter().from_notebook_node(executed(FOLDER / "01_first_look.ipynb"))
    PAGE.write_text(page, encoding="utf-8")
    print(f"The first tutorial, run just now, is in {PAGE.name}; `make lab` opens it in JupyterLab.")


if __name__ == "__main__":
    main()
