#!/usr/bin/env python3
"""What llama.cpp makes of a GGUF file, in a process of its own; prints one JSON object.

  llama.py speed FILE THREADS [DEPTH]     prompt and generation speed, measured like llama-bench: no tokenization, no
                                          sampling, a warm-up before, medians of 5
  llama.py perplexity FILE TEXT           windows of 512 tokens, positions 2 to 512, the first 40
  llama.py tokens FILE PROMPT COUNT       what it generates greedily
"""

import ctypes
import json
import statistics
import sys
import time

import llama_cpp
import numpy

WINDOW = 512
WINDOWS = 40


@llama_cpp.llama_log_callback
def be_quiet(level, text, data):
    pass


def open_model(path, threads, context):
    llama_cpp.llama_log_set(be_quiet, ctypes.c_void_p(0))
    llama_cpp.llama_backend_init()
    model = llama_cpp.llama_model_load_from_file(path.encode(), llama_cpp.llama_model_default_params())
    if not model:
        sys.exit(f"{path}: llama.cpp does not load it")
    params = llama_cpp.llama_context_default_params()
    params.n_ctx = context
    params.n_batch = params.n_ubatch = WINDOW
    params.n_threads = params.n_threads_batch = threads
    return model, llama_cpp.llama_init_from_model(model, params)


def decode(context, tokens, first, all_logits=False):
    batch = llama_cpp.llama_batch_init(len(tokens), 0, 1)
    batch.n_tokens = len(tokens)
    for i, token in enumerate(tokens):
        batch.token[i] = token
        batch.pos[i] = first + i
        batch.n_seq_id[i] = 1
        batch.seq_id[i][0] = 0
        batch.logits[i] = all_logits or i + 1 == len(tokens)
    if llama_cpp.llama_decode(context, batch) != 0:
        sys.exit("llama_decode failed")
    llama_cpp.llama_batch_free(batch)


def forget(context):
    llama_cpp.llama_memory_clear(llama_cpp.llama_get_memory(context), True)


def vocabulary(model):
    return llama_cpp.llama_vocab_n_tokens(llama_cpp.llama_model_get_vocab(model))


def tokenize(model, text):
    data = text.encode()
    tokens = (llama_cpp.llama_token * (len(data) + 1))()
    vocab = llama_cpp.llama_model_get_vocab(model)
    count = llama_cpp.llama_tokenize(vocab, data, len(data), tokens, len(tokens), False, False)
    return list(tokens[:count])


def speed(path, threads, depth):
    model, context = open_model(path, threads, 1024 + depth)
    tokens = [(i * 7919 + 13) % vocabulary(model) for i in range(max(WINDOW, depth))]

    def timed(run, count):
        seconds = []
        for repetition in range(6):
            forget(context)
            if depth:
                for first in range(0, depth, WINDOW):
                    decode(context, tokens[first:min(first + WINDOW, depth)], first)
            start = time.perf_counter()
            run()
            llama_cpp.llama_synchronize(context)
            if repetition > 0:
                seconds.append(time.perf_counter() - start)
        return count / statistics.median(seconds)

    def generate():
        for i in range(64):
            decode(context, [tokens[i]], depth + i)

    return {"pp128": timed(lambda: decode(context, tokens[:128], depth), 128),
            "pp512": timed(lambda: decode(context, tokens[:512], depth), 512), "tg64": timed(generate, 64)}


def perplexity(path, text):
    model, context = open_model(path, 2, WINDOW)
    tokens = tokenize(model, open(text, encoding="utf-8").read())
    losses = []
    for window in range(WINDOWS):
        ids = tokens[window * WINDOW:(window + 1) * WINDOW]
        forget(context)
        decode(context, ids, 0, all_logits=True)
        flat = llama_cpp.llama_get_logits(context)
        logits = numpy.ctypeslib.as_array(flat, shape=(WINDOW, vocabulary(model))).astype(numpy.float64)
        top = logits.max(axis=1, keepdims=True)
        log_sum = numpy.log(numpy.exp(logits - top).sum(axis=1)) + top[:, 0]
        losses.extend(log_sum[:-1] - logits[numpy.arange(WINDOW - 1), ids[1:]])
    return {"perplexity": float(numpy.exp(numpy.mean(losses))), "tokens": len(losses)}


def generate_text(path, prompt, count):
    model, context = open_model(path, 2, 1024)
    vocab = llama_cpp.llama_model_get_vocab(model)
    tokens = tokenize(model, prompt)
    decode(context, tokens, 0)
    text = b""
    for i in range(count):
        logits = numpy.ctypeslib.as_array(llama_cpp.llama_get_logits_ith(context, -1), shape=(vocabulary(model),))
        token = int(logits.argmax())
        if llama_cpp.llama_vocab_is_eog(vocab, token):
            break
        piece = ctypes.create_string_buffer(256)
        text += piece.raw[:llama_cpp.llama_token_to_piece(vocab, token, piece, 256, 0, False)]
        decode(context, [token], len(tokens) + i)
    return {"text": text.decode(errors="replace")}


if __name__ == "__main__":
    what, path, *rest = sys.argv[1:]
    if what == "speed":
        result = speed(path, int(rest[0]), int(rest[1]) if len(rest) > 1 else 0)
    elif what == "perplexity":
        result = perplexity(path, rest[0])
    else:
        result = generate_text(path, rest[0], int(rest[1]))
    print(json.dumps(result))
