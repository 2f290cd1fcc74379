"""The policy: an unmodified Hugging Face Qwen2.5-VL, its inputs, its forward pass, and its weights as they travel.

Import from the modules, because each of them loads torch:

| module | holds |
|---|---|
| `model_folder` | check of a checkpoint's folder, and its weights read one by one |
| `prompter`, `clips` | tokens of a prompt; a clip as pixels and as features |
| `positions` | rotary positions by the engine's rule |
| `groups`, `layout`, `attention` | prefix groups, the row that holds them, attention over that row |
| `policy`, `logprobs`, `sampling` | forward pass, log-probabilities, sampling without an engine |
| `pixel_cache`, `vision_tower`, `feature_store` | clips processed once, encoded once and kept |
| `adapter`, `merge`, `tensor_file`, `weights` | a LoRA adapter as bytes, merged, and as a published version |
| `fingerprint` | the check that every engine serves what the learner published |
| `optimizer` | learning-rate schedule, and AdamW for small networks |
"""
