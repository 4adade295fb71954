"""State machines on moto's engine, where it alone would not do."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from moto.stepfunctions.parser.asl.parse.asl_parser import AmazonStateLanguageParser
from moto.stepfunctions.parser.asl.parse.preprocessor import Preprocessor
from moto.stepfunctions.parser.backend.execution_worker import ExecutionWorker

from assembly.template import ACCOUNT, REGION
from local.states import engine

SUCCEED = {"Type": "Succeed"}
LANGUAGES = {
    "JSONPath": {"Type": "Choice", "Choices": [{"Variable": "$.a", "IsPresent": True, "Next": "end"}]},
    "JSONata": {
        "Type": "Choice",
        "QueryLanguage": "JSONata",
        "Choices": [{"Condition": "{% $exists($states.input.a) %}", "Next": "end"}],
    },
}


def test_machines_of_two_query_languages_are_read_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """As both sides start: each is in its state's scope while the other one is, too."""
    both, wrong = threading.Barrier(2, timeout=20), []
    opened = Preprocessor._open_query_language_scope

    def open_together(preprocessor: Preprocessor, tree: object) -> None:
        opened(preprocessor, tree)
        both.wait()

    def read(state: dict[str, object]) -> None:
        try:
            AmazonStateLanguageParser.parse(json.dumps({"StartAt": "only", "States": {"only": state, "end": SUCCEED}}))
        except Exception as error:
            wrong.append(error)

    monkeypatch.setattr(Preprocessor, "_open_query_language_scope", open_together)
    with engine(lambda call: {}, {}):
        readers = [threading.Thread(target=read, args=(state,)) for state in LANGUAGES.values()]
        for reader in readers:
            reader.start()
        for reader in readers:
            reader.join()
    assert wrong == []


def test_who_waits_for_an_engine_that_failed_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(worker: ExecutionWorker) -> None:
        raise LookupError("no such scope")

    monkeypatch.setattr(ExecutionWorker, "_get_evaluation_environment", fail)
    machine = f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:one"
    definition = {"StartAt": "only", "States": {"only": SUCCEED}}
    with ThreadPoolExecutor() as pool, engine(lambda call: {}, {machine: definition}) as machines:
        execution = pool.submit(machines.execute, machine, "run", {}).result(timeout=60)
    assert (execution.status, execution.error) == ("FAILED", "States.Runtime")
    assert execution.cause == "the engine failed: LookupError: no such scope"
