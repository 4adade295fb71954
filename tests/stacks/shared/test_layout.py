"""What is written twice because two rooms may not import each other: both say the same."""

import record.collector
import record.schema
from stacks.shared import layout


def test_the_record_has_the_same_stages_and_outputs() -> None:
    assert record.schema.STAGES == layout.STAGES
    assert record.collector.OUTPUTS == layout.OUTPUTS
