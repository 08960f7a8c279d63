"""Without a compiler a network runs as it is, and a sentence says why."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from eadnet.modules.compiling import compile_where_possible


def test_without_a_compiler_the_network_stays_as_it_is(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(function: Any) -> Any:
        def run(*values: Any) -> Any:
            raise RuntimeError("InvalidCxxCompiler: No working C++ compiler found\nand a long story")

        return run

    monkeypatch.setattr(torch, "compile", broken)
    network = nn.Linear(2, 2)
    assert not compile_where_possible(network, torch.device("cpu"))
    assert network._compiled_call_impl is None and network(torch.ones(1, 2)).shape == (1, 2)
    (record,) = caplog.records
    assert "not compiled: this system cannot (InvalidCxxCompiler" in record.getMessage()
    assert "long story" not in record.getMessage()


def test_with_one_it_is_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    def compiled(function: Any, *_: Any, **__: Any) -> Any:
        asked.append(function)
        return function

    monkeypatch.setattr(torch, "compile", compiled)
    network = nn.Linear(2, 2)
    assert compile_where_possible(network, torch.device("cpu"))
    assert len(asked) == 2 and network._compiled_call_impl is not None
