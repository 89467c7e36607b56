"""A llama.cpp server with the embedded model, as a program of its own: prints its URL."""

from __future__ import annotations

import sys
from typing import Any, cast

import xllamacpp


def main(path: str, key: str) -> None:
    llama = cast("Any", xllamacpp)
    params = llama.CommonParams()
    params.model.path = path
    params.verbosity = -1
    params.n_ctx = 2048
    params.n_parallel = 1
    params.n_batch = params.n_ubatch = 16
    params.flash_attn_type = llama.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_DISABLED
    params.fit_params = params.warmup = False
    params.hostnames, params.port = ["127.0.0.1"], 0
    params.api_keys = [key]
    params.ui = False
    server = llama.Server(params)
    print(server.listening_address, flush=True)
    sys.stdin.read()  # until whoever started it is done
    del server


if __name__ == "__main__":
    main(*sys.argv[1:])
