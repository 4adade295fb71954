"""The deployed stacks as CloudFormation would list them, for tests of what `compare` asks an account."""

from typing import Any
from urllib.parse import parse_qs
from xml.sax.saxutils import escape

import pytest
from botocore.awsrequest import AWSResponse

from assembly.template import Assembly
from tests.stacks.handlers.support import Wire

_PAGE = 7


class Stacks(Wire):
    """Lists the resources of an assembly's stacks, a few a page, and gives their templates."""

    def __init__(self, assembly: Assembly, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__("cloudformation", monkeypatch)
        self.assembly = assembly
        self.deleted: set[str] = set()
        """Stacks that are no longer there."""

    def _send(self, operation: str, request: Any) -> AWSResponse | None:
        if not self._planned[operation]:
            given = {name: values[0] for name, values in parse_qs(_text(request.body)).items()}
            stack = given["StackName"]
            if stack in self.deleted or stack not in self.assembly.templates:
                self.refuse(operation, "ValidationError", f"Stack with id {stack} does not exist")
            elif operation == "ListStackResources":
                self.answer(operation, self._resources(stack, int(given.get("NextToken", "0"))))
            else:
                text = escape((self.assembly.folder / f"{stack}.template.json").read_text())
                self.answer(operation, _result(operation, f"<TemplateBody>{text}</TemplateBody>"))
        return super()._send(operation, request)

    def refuse(self, operation: str, code: str, message: str) -> None:
        """Answer the next request of this operation with an error."""
        error = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>"
        self.answer(operation, f"<ErrorResponse>{error}</ErrorResponse>", status=400)

    def _resources(self, stack: str, start: int) -> str:
        resources = list(self.assembly.templates[stack]["Resources"].items())
        members = "".join(
            f"<member><LogicalResourceId>{name}</LogicalResourceId>"
            f"<PhysicalResourceId>{self.assembly.resolve(stack, {'Ref': name})}</PhysicalResourceId>"
            f"<ResourceType>{resource['Type']}</ResourceType></member>"
            for name, resource in resources[start : start + _PAGE]
        )
        more = f"<NextToken>{start + _PAGE}</NextToken>" if start + _PAGE < len(resources) else ""
        found = f"<StackResourceSummaries>{members}</StackResourceSummaries>{more}"
        return _result("ListStackResources", found)


def _result(operation: str, content: str) -> str:
    return f"<{operation}Response><{operation}Result>{content}</{operation}Result></{operation}Response>"


def _text(body: Any) -> str:
    return body.decode() if isinstance(body, bytes) else str(body)
