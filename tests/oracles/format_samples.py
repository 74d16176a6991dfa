#!/usr/bin/env python3
"""Writes tests/data/formats/: small files by the public writers (PyPI `gguf` and `safetensors`), so that the
readers are not only tested against this repository's own idea of the formats.

    pip install gguf==0.19.0 safetensors==0.8.0 numpy && tests/oracles/format_samples.py tests/data/formats

sample.gguf           values of every kind that the writer offers, four tensors
folder/               model.safetensors and its JSON files (chat templates as a list)
sharded/              two shards, their index, config.json, chat_template.jinja"""
import json
import os
import sys

import gguf
import numpy as np
from safetensors.numpy import save_file


def numbers(*shape):
    return np.arange(np.prod(shape), dtype=np.float32).reshape(shape) / 8


def write_gguf(path):
    w = gguf.GGUFWriter(path, "llama")
    w.add_name("sample")
    w.add_custom_alignment(64)
    w.add_block_count(2)
    w.add_uint8("t.u8", 255)
    w.add_int8("t.i8", -128)
    w.add_uint16("t.u16", 65535)
    w.add_int16("t.i16", -32768)
    w.add_uint32("t.u32", 4294967295)
    w.add_int32("t.i32", -2147483648)
    w.add_uint64("t.u64", 2**63)
    w.add_int64("t.i64", -(2**63))
    w.add_float32("t.f32", 0.1)
    w.add_float64("t.f64", 0.1)
    w.add_bool("t.bool", True)
    w.add_array("t.strings", ["alpha", "", "Grüße \U0001f600"])
    w.add_array("t.integers", [1, -2, 3])
    w.add_array("t.floats", [0.5, -0.25])
    w.add_array("t.flags", [True, False, True])
    w.add_chat_template("{{ messages[0].content }}")
    w.add_tensor("a", numbers(3, 4))
    w.add_tensor("b", numbers(2, 3, 4).astype(np.float16))
    w.add_tensor("c", gguf.quantize(numbers(2, 64), gguf.GGMLQuantizationType.Q8_0),
                 raw_dtype=gguf.GGMLQuantizationType.Q8_0)
    w.add_tensor("d", np.array([7], dtype=np.int32))
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()


def write_json(path, value):
    with open(path, "w", encoding="utf-8") as f:
        json.dump(value, f)


def write_folder(folder):
    os.makedirs(folder, exist_ok=True)
    tensors = {"x.weight": numbers(3, 4), "x.bias": numbers(3).astype(np.float16), "empty": numbers(0, 5),
               "steps": np.array(9, dtype=np.int64)}
    save_file(tensors, folder + "/model.safetensors", metadata={"format": "np"})
    write_json(folder + "/config.json", {"model_type": "llama", "hidden_size": 4})
    write_json(folder + "/generation_config.json", {"eos_token_id": [2, 7]})
    templates = [{"name": "tool_use", "template": "tools"}, {"name": "default", "template": "plain"}]
    write_json(folder + "/tokenizer_config.json", {"chat_template": templates})


def write_sharded(folder):
    os.makedirs(folder, exist_ok=True)
    save_file({"a": numbers(2, 2), "b": numbers(4)}, folder + "/model-00001-of-00002.safetensors")
    save_file({"c": numbers(5)}, folder + "/model-00002-of-00002.safetensors")
    first, second = "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"
    write_json(folder + "/model.safetensors.index.json",
               {"metadata": {"total_size": 52}, "weight_map": {"a": first, "b": first, "c": second}})
    write_json(folder + "/config.json", {"model_type": "llama"})
    with open(folder + "/chat_template.jinja", "w", encoding="utf-8") as f:
        f.write("from the jinja file")


def main():
    folder = sys.argv[1]
    os.makedirs(folder, exist_ok=True)
    write_gguf(folder + "/sample.gguf")
    write_folder(folder + "/folder")
    write_sharded(folder + "/sharded")


main()
