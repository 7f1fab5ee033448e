"""The precisions in which a network is computed: one list, for the plugin contract and for the parent, which loads no plugin."""

OPERAND_BYTES = {"float64": 8, "fp32": 4, "tf32": 4, "bf16": 2}
"""Bytes of an operand of a convolution or a matrix product, by precision."""

PRECISIONS = tuple(OPERAND_BYTES)
"""``float64`` for proofs; ``fp32`` strict; ``tf32`` convolution and dense operands rounded to 10 bits of mantissa; ``bf16``
convolution and dense operands in bfloat16. In tf32 and bf16, accumulation, master weights, optimizer, BatchNorm statistics
and loss stay in fp32."""
