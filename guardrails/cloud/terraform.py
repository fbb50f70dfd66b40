"""Reads Terraform by its tree: settings of buckets and databases by which their data gets lost."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from guardrails.cloud.lifecycle import UNKNOWN, Value, expires_everything
from guardrails.cloud.settings import Risk, setting
from guardrails.operations import Comment, Operation, Reading
from guardrails.s3.shell import in_command_line
from guardrails.s3.trees import Grammar, Source

if TYPE_CHECKING:
    from tree_sitter import Node

_BUCKETS = frozenset({"aws_s3_bucket", "aws_s3_directory_bucket", "aws_s3control_bucket"})
_DATABASES = frozenset(
    {"aws_db_instance", "aws_rds_cluster", "aws_docdb_cluster", "aws_neptune_cluster", "aws_redshift_cluster"}
)
_KEEPS_DATA = _BUCKETS | _DATABASES | {"aws_dynamodb_table", "aws_efs_file_system"}
_LIFECYCLES = frozenset({"aws_s3_bucket", "aws_s3_bucket_lifecycle_configuration"})
_RISKY = re.compile(rb"aws_s3_bucket|force_destroy|skip_final_snapshot|deletion_protection|local-exec")
"""What an unparsable stretch must not hide."""
_DEEPEST = 20


@dataclass(frozen=True, slots=True)
class Block:
    """A block: its type, its labels, its attributes and the blocks in it."""

    type: str
    labels: tuple[str, ...]
    node: Node
    attributes: dict[str, Node] = field(default_factory=dict)
    blocks: list[Block] = field(default_factory=list)

    def named(self, kind: str) -> list[Block]:
        """Give the blocks of one type in it."""
        return [block for block in self.blocks if block.type == kind]


def read_terraform(text: str) -> Reading:
    """Read a Terraform file. Raises TreeError for one that no parser finishes."""
    source = Source(text, Grammar.HCL)
    reader = _Reader(source)
    operations = tuple(operation for block in reader.blocks for operation in reader.of(block))
    comments = tuple(
        Comment(node.start_point[0] + 1, source.text(node).rstrip("\n"), source.alone(node))
        for node in (source.walk(re.compile(rb"safety-exception")))
        if node.type == "comment"
    )
    faults = tuple(source.faults(_RISKY))
    return Reading(operations, comments, 1, 0 if faults else 1, faults)


class _Reader:
    def __init__(self, source: Source) -> None:
        self.source = source
        self.blocks = list(self._blocks(source.root, 0))
        self.known: dict[str, Node] = {}
        """Defaults of variables and local values: ``var.x``, ``local.x``."""
        for block in self.blocks:
            if block.type == "variable" and block.labels and "default" in block.attributes:
                self.known[f"var.{block.labels[0]}"] = block.attributes["default"]
            elif block.type == "locals":
                self.known |= {f"local.{name}": value for name, value in block.attributes.items()}

    def of(self, block: Block) -> Iterator[Operation]:
        """Give the risky settings of a block at the top of the file."""
        kind = block.labels[0] if block.type == "resource" and block.labels else ""
        name = ".".join(block.labels)
        if block.type == "module" or kind in _BUCKETS:
            yield from self._flag(block, "force_destroy", Risk.FORCE_DESTROY, name, value=True)
        if block.type == "module" or kind in _DATABASES:
            yield from self._flag(block, "skip_final_snapshot", Risk.NO_FINAL_SNAPSHOT, name, value=True)
            yield from self._flag(block, "deletion_protection", Risk.NO_PROTECTION, name, value=False)
        if kind == "aws_dynamodb_table":
            yield from self._flag(block, "deletion_protection_enabled", Risk.NO_PROTECTION, name, value=False)
        if kind in _LIFECYCLES:
            yield from self._lifecycles(block, name)
        if kind in _KEEPS_DATA and not self._is_protected(block):
            yield setting(
                Risk.NO_PREVENT_DESTROY,
                self.source.place(block.node.children[0]),
                f'resource "{kind}" "{".".join(block.labels[1:])}"',
                name=name,
            )
        for provisioner in block.named("provisioner"):
            command = provisioner.attributes.get("command")
            if provisioner.labels == ("local-exec",) and command is not None:
                yield from in_command_line(self._text(command), self.source.place(command))

    def _flag(
        self, block: Block, attribute: str, risk: Risk, name: str, *, value: bool
    ) -> Iterator[Operation]:
        node = block.attributes.get(attribute)
        if node is None or self._value(node) not in (value, str(value).lower()):
            return
        whole = node.parent or node
        yield setting(risk, self.source.place(whole), self.source.text(whole), name=name)

    def _is_protected(self, block: Block) -> bool:
        for lifecycle in block.named("lifecycle"):
            node = lifecycle.attributes.get("prevent_destroy")
            if node is not None and self._value(node) not in (False, "false"):
                return True
        return False

    def _lifecycles(self, block: Block, name: str) -> Iterator[Operation]:
        for rule in (*block.named("rule"), *block.named("lifecycle_rule")):
            when = expires_everything({"Rules": [self._rule(rule)]})
            if when:
                place = self.source.place(rule.node)
                yield setting(Risk.EXPIRES_ALL, place, self.source.text(rule.node), name=name, note=when)

    def _rule(self, rule: Block) -> Value:
        """Give a rule in the shape of the API."""
        enabled = rule.attributes.get("enabled") or rule.attributes.get("status")
        status = self._value(enabled) if enabled is not None else None
        found: dict[str, Value] = {"Status": "Enabled" if status in (True, "true") else status}
        if "prefix" in rule.attributes:
            found["Prefix"] = self._value(rule.attributes["prefix"])
        if "tags" in rule.attributes or rule.named("dynamic"):
            found["TagFilters"] = UNKNOWN
        for scope in rule.named("filter"):
            limits = {key: self._value(node) for key, node in scope.attributes.items()}
            found["Filter"] = UNKNOWN if scope.blocks else limits
        for expiration in rule.named("expiration"):
            values = {key.capitalize(): self._value(node) for key, node in expiration.attributes.items()}
            found["Expiration"] = values
        return found

    def _value(self, node: Node, depth: int = 0) -> Value:  # noqa: PLR0911 (one line a kind)
        """Give a literal's value, following variables' defaults and local values of this file."""
        if depth > _DEEPEST:
            return UNKNOWN
        text = self.source.text(node)
        if text in self.known:
            return self._value(self.known[text], depth + 1)
        while node.named_child_count == 1 and node.type in {"expression", "literal_value", "template_expr"}:
            node = node.named_children[0]
        if node.type == "bool_lit":
            return text == "true"
        if node.type == "numeric_lit":
            return int(text) if text.isdigit() else UNKNOWN
        if node.type == "null_lit":
            return None
        if node.type in {"string_lit", "quoted_template"}:
            return UNKNOWN if "${" in text else self._text(node)
        return UNKNOWN

    def _text(self, node: Node) -> str:
        """Give the text of a string or here-document, ``X`` for what is filled in."""
        found = []
        stack = [node]
        while stack:
            part = stack.pop()
            if part.type == "template_literal":
                found.append(self.source.text(part).replace('\\"', '"').replace("\\n", "\n"))
            elif part.type in {"template_interpolation", "template_directive"}:
                found.append("X")
            else:
                stack += reversed(part.named_children)
        return "".join(found)

    def _blocks(self, node: Node, depth: int) -> Iterator[Block]:
        if depth > _DEEPEST:
            return
        for child in node.named_children:
            if child.type in {"body", "ERROR", "config_file"}:
                yield from self._blocks(child, depth + 1)
            elif child.type == "block":
                yield self._block(child, depth)

    def _block(self, node: Node, depth: int) -> Block:
        heads = [c for c in node.named_children if c.type in {"identifier", "string_lit"}]
        names = [self.source.text(head).strip('"') for head in heads]
        block = Block(names[0] if names else "", tuple(names[1:]), node)
        for body in node.named_children:
            if body.type != "body":
                continue
            block.blocks.extend(self._blocks(body, depth + 1))
            for attribute in body.named_children:
                if attribute.type == "attribute" and attribute.named_child_count > 1:
                    key, value = attribute.named_children[0], attribute.named_children[-1]
                    block.attributes[self.source.text(key)] = value
        return block
