"""Products with a layout of their own are the products in double precision, wherever they apply."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest
import torch

from probeta.nn.cpu.matmul import PACKED, Product, handed_over, linear

WIDTH, HEIGHT = 257, 301


@pytest.mark.parametrize("rows", [1, 3, 65])
@pytest.mark.parametrize("bias", [False, True])
def test_a_packed_product_is_the_product(rows: int, bias: bool) -> None:
    torch.manual_seed(0)
    weight, offset = torch.randn(HEIGHT, WIDTH), torch.randn(HEIGHT) if bias else None
    assert weight.numel() >= PACKED
    with torch.inference_mode():
        product = Product(weight, offset)
        for x in (torch.randn(rows, WIDTH), torch.randn(WIDTH, rows).t(), torch.randn(2, rows, WIDTH)):
            want = x.double() @ weight.double().t() + (0 if offset is None else offset.double())
            torch.testing.assert_close(product(x).double(), want, rtol=1e-4, atol=1e-4)


def test_a_product_outside_of_searches_has_gradients() -> None:
    weight = torch.randn(HEIGHT, WIDTH, requires_grad=True)
    Product(weight)(torch.ones(1, WIDTH)).sum().backward()
    assert weight.grad is not None
    assert (weight.grad == 1).all()


@pytest.mark.parametrize("rows", [1, 65])
def test_made_under_autocast_a_product_rounds_to_its_type_and_says_nothing_of_it(rows: int) -> None:
    torch.manual_seed(0)
    weight, x = torch.randn(HEIGHT, WIDTH), torch.randn(rows, WIDTH)
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        product = Product(weight)
    with torch.inference_mode():
        found = product(x)
    rounded = x.bfloat16().double() @ weight.bfloat16().double().t()
    assert found.dtype == torch.float32
    torch.testing.assert_close(found.double(), rounded, rtol=2**-7, atol=1e-3)
    torch.testing.assert_close(found, found.bfloat16().float(), rtol=0, atol=0)


@pytest.mark.parametrize("transposed", [False, True])
def test_a_linear_map_under_autocast_is_torchs(transposed: bool) -> None:
    torch.manual_seed(0)
    x, weight, bias = torch.randn(5, 3, WIDTH), torch.randn(HEIGHT, WIDTH), torch.randn(HEIGHT)
    x = x.transpose(0, 1) if transposed else x
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        torch.testing.assert_close(linear(x, weight, bias), torch.nn.functional.linear(x, weight, bias))


def test_the_permission_for_onednn_ends_with_the_last_thread_that_has_it() -> None:
    settings = torch.backends.mkldnn.matmul  # type: ignore[attr-defined]
    before = settings.fp32_precision
    other_is_in, first_is_out = Event(), Event()

    def other() -> str:
        with handed_over():
            other_is_in.set()
            assert first_is_out.wait(10)
            return str(settings.fp32_precision)

    with ThreadPoolExecutor(1) as pool:
        with handed_over():
            there = pool.submit(other)
            assert other_is_in.wait(10)
        first_is_out.set()
        assert there.result() == "bf16"
    assert settings.fp32_precision == before != "bf16"
