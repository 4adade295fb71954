"""``compare prices``: the price snapshot, shown or read anew."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
from pydantic import TypeAdapter
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from cli.terminal import terminal
from comparison.cost.prices import PRICES, Price, PriceBook
from comparison.summary import dollars
from record.errors import UserError

_SHOWN_KEPT = 10
"""Items that a warning names; it counts the rest."""

EPILOG = "Exit codes: 0 well, 2 bad input, no credentials or no permission, 130 interrupted."


def prices(
    item: Annotated[
        str, typer.Argument(help="Only the items that begin so: ec2/m5, sagemaker/training.", show_default=False)
    ] = "",
    region: Annotated[
        list[str] | None, typer.Option(help="Only this region. Repeatable. Default: every one of the book.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON, for machines.")] = False,
    refresh: Annotated[
        bool, typer.Option("--refresh", help="Read the prices anew; needs credentials with pricing:GetProducts.")
    ] = False,
    instance_type: Annotated[
        list[str] | None,
        typer.Option("--type", help="With --refresh: this EC2 instance type too, such as m5.8xlarge. Repeatable."),
    ] = None,
    book: Annotated[Path, typer.Option(help="The price file.")] = PRICES,
) -> None:
    """Show the price snapshot, or read it anew from AWS's Price List API.

    Examples: compare prices sagemaker/training --region us-east-1; compare prices --refresh --region eu-west-1
    """
    known = PriceBook.load(book)
    if refresh:
        if item or as_json:
            raise UserError("--refresh reads every item and shows none: not with an item, nor with --json")
        _refresh(known, region or sorted(known.regions), instance_type or [], book)
        return
    if instance_type:
        raise UserError(f"--type {instance_type[0]}: only with --refresh")
    found = list(_select(known, item, region or sorted(known.regions)))
    if not found:
        raise UserError(
            f"{item or 'any item'} in {', '.join(region or sorted(known.regions))}: no price is known; "
            f"known regions: {', '.join(sorted(known.regions))}"
        )
    if as_json:
        typer.echo(_json(found))
    else:
        _print(found, terminal())


def _select(book: PriceBook, prefix: str, regions: list[str]) -> Iterator[tuple[str, str, Price]]:
    for region in regions:
        for item, price in book.regions.get(region, {}).items():
            if item.startswith(prefix):
                yield region, item, price


def _json(found: list[tuple[str, str, Price]]) -> str:
    """Region, item, price: the same shape as in the price file."""
    regions: dict[str, dict[str, Price]] = {}
    for region, item, price in found:
        regions.setdefault(region, {})[item] = price
    return TypeAdapter(dict[str, dict[str, Price]]).dump_json(regions, indent=2).decode()


def _print(found: list[tuple[str, str, Price]], console: Console) -> None:
    """A table, and below it the sources, each once: many prices have the same."""
    sources: dict[str, int] = {}
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("Item", overflow="fold")
    table.add_column("Region")
    table.add_column("USD", justify="right")
    table.add_column("per")
    table.add_column("As of")
    table.add_column("Source", justify="right")
    for region, item, price in found:
        source = price.source if price.example is None else f"example, {price.example} ({price.source})"
        number = sources.setdefault(source, len(sources) + 1)
        style = "" if price.example is None else "yellow"
        cells = (item, region, dollars(price.usd), price.unit, price.date.isoformat(), f"[{number}]")
        table.add_row(*(Text(cell, style=style) for cell in cells))
    console.print(table)
    for source, number in sources.items():
        console.print(Text(f"[{number}] {source}"))
    examples = sum(price.example is not None for _, _, price in found)
    console.print(
        f"\n{len(found)} prices, on-demand, before tax and free allowances; {examples} of them are examples: "
        "derived by a rule, or not confirmed."
    )


def _refresh(book: PriceBook, regions: list[str], types: list[str], path: Path) -> None:
    # Here, since showing a table needs no AWS client.
    from botocore.exceptions import BotoCoreError, ClientError

    from comparison.cost.price_list import refresh as read

    console = terminal(stderr=True)
    try:
        with console.status("Reading the price list") as status:
            refreshed = read(book, regions, status.update, types)
        refreshed.book.save(path)
    except UserError as error:
        raise UserError(f"{error}; {path} stays as it is") from error
    except ClientError as error:
        code, message = (error.response["Error"].get(key, "") for key in ("Code", "Message"))
        raise UserError(
            f"the price list refused: {code}: {message}; needed: pricing:GetProducts; {path} stays as it is"
        ) from error
    except (BotoCoreError, OSError) as error:
        said = " ".join(str(error).split())
        raise UserError(f"the price list was not read: {said}; {path} stays as it is") from error
    except KeyboardInterrupt:
        console.print(f"Interrupted: {path} stays as it is.", soft_wrap=True)
        raise
    if refreshed.kept:
        named = ", ".join(f"{item} ({region})" for region, item in refreshed.kept[:_SHOWN_KEPT])
        more = len(refreshed.kept) - _SHOWN_KEPT
        console.print(
            f"warning: not in the price list, kept as they were: {named}{f', and {more} more' if more > 0 else ''}",
            style="yellow",
            soft_wrap=True,
        )
    count = sum(len(refreshed.book.regions[region]) for region in regions) - len(refreshed.kept)
    console.print(f"{', '.join(regions)}: prices read anew: {count}; {path} is written", soft_wrap=True)
