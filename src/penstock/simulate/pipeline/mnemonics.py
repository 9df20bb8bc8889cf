"""Which instructions there are: for each mnemonic its kind and what its operands are for."""

import re
from dataclasses import dataclass

from penstock.simulate.pipeline.instruction import Kind, Role

ROLES = {
    "r": Role.LATE,
    "e": Role.EARLY,
    "m": Role.MULTIPLICAND,
    "a": Role.ACCUMULATOR,
    "s": Role.STORE,
    "b": Role.BRANCH,
    "F": Role.FP_ADD,
    "G": Role.FP_MULTIPLY,
    "P": Role.FP_MULTIPLICAND,
    "S": Role.FP_STORE,
    "M": Role.FP_MOVE,
    "C": Role.FP_TO_CORE,
    "+": Role.ADDEND,
}
"""Letters of :attr:`Form.operands` that read."""
WRITES = "dwxA"
"""Letters that write; w, x and A read the same register too."""
READ_WRITES = {"w": Role.LATE, "x": Role.ACCUMULATOR, "A": Role.FP_ACCUMULATOR}


@dataclass(frozen=True)
class Form:
    """What a mnemonic means.

    Attributes:
        kind: of its instructions.
        operands: a letter for each register outside brackets, in order; the last repeats.
        access_bytes: of one access to data, 0 for none.
        reads_flags: beyond being predicated.
    """

    kind: Kind
    operands: str = ""
    access_bytes: int = 0
    reads_flags: bool = False


def _forms(names: str, form: Form) -> dict[str, Form]:
    return dict.fromkeys(names.split(), form)


_PREFIXES = "s u q sh uh uq"
_LANES = " ".join(
    prefix + name
    for prefix in _PREFIXES.split()
    for name in ("add8", "add16", "sub8", "sub16", "asx", "sax")
)

FORMS: dict[str, Form] = {
    **_forms("add sub addw subw", Form(Kind.ADD, "drr")),
    **_forms("mov movw", Form(Kind.ADD, "dr")),
    **_forms("adr", Form(Kind.ADD, "d")),
    **_forms("rsb and orr eor bic orn", Form(Kind.ALU, "drr")),
    **_forms("adc sbc", Form(Kind.ALU, "drr", reads_flags=True)),
    **_forms("mvn", Form(Kind.ALU, "dr")),
    **_forms("neg", Form(Kind.ALU, "dr")),
    **_forms("movt", Form(Kind.ALU, "w")),
    **_forms("cmp cmn tst teq", Form(Kind.ALU, "rr")),
    **_forms("lsl lsr asr ror", Form(Kind.SHIFT, "drr")),
    **_forms("rrx", Form(Kind.ALU_SHIFTED, "de", reads_flags=True)),
    **_forms("rev rev16 revsh rbit", Form(Kind.REVERSE, "de")),
    **_forms("ubfx sbfx", Form(Kind.BITFIELD, "de")),
    **_forms("bfi", Form(Kind.BITFIELD, "we")),
    **_forms("bfc", Form(Kind.BITFIELD, "w")),
    **_forms("pkhbt", Form(Kind.PACK, "dre")),
    **_forms("pkhtb", Form(Kind.PACK, "dee")),
    **_forms("sxtb sxth uxtb uxth sxtb16 uxtb16", Form(Kind.EXTEND, "dr")),
    **_forms("sxtab sxtah uxtab uxtah sxtab16 uxtab16", Form(Kind.EXTEND_ADD, "d+e")),
    **_forms("clz ssat16 usat16 ssat usat", Form(Kind.LANES, "dr")),
    **_forms(f"{_LANES} qadd qsub qdadd qdsub", Form(Kind.LANES, "drr")),
    **_forms("sel", Form(Kind.LANES, "drr")),
    **_forms("mul", Form(Kind.MULTIPLY, "dmm")),
    **_forms(
        "smulbb smulbt smultb smultt smulwb smulwt smuad smuadx smusd smusdx smmul smmulr usad8",
        Form(Kind.MULTIPLY, "dmm"),
    ),
    **_forms("umull smull", Form(Kind.MULTIPLY, "ddmm")),
    **_forms(
        "mla mls smlabb smlabt smlatb smlatt smlawb smlawt smlad smladx smlsd smlsdx "
        "smmla smmlar smmls smmlsr usada8",
        Form(Kind.MULTIPLY_ADD, "dmma"),
    ),
    **_forms(
        "umlal smlal umaal smlalbb smlalbt smlaltb smlaltt smlald smlaldx smlsld smlsldx",
        Form(Kind.MULTIPLY_ADD, "xxmm"),
    ),
    **_forms("sdiv udiv", Form(Kind.DIVIDE, "drr")),
    **_forms("ldr ldrt ldrex lda ldaex", Form(Kind.LOAD, "d", 4)),
    **_forms("ldrb ldrsb ldrbt ldrsbt ldrexb ldab ldaexb", Form(Kind.LOAD_NARROW, "d", 1)),
    **_forms("ldrh ldrsh ldrht ldrsht ldrexh ldah ldaexh", Form(Kind.LOAD_NARROW, "d", 2)),
    **_forms("ldrd", Form(Kind.LOAD_PAIR, "dd", 4)),
    **_forms("ldm ldmia ldmdb pop", Form(Kind.LOAD_MULTIPLE, "d", 4)),
    **_forms("str strt stl", Form(Kind.STORE, "s", 4)),
    **_forms("strb strbt stlb", Form(Kind.STORE, "s", 1)),
    **_forms("strh strht stlh", Form(Kind.STORE, "s", 2)),
    **_forms("strex stlex", Form(Kind.STORE, "ds", 4)),
    **_forms("strexb stlexb", Form(Kind.STORE, "ds", 1)),
    **_forms("strexh stlexh", Form(Kind.STORE, "ds", 2)),
    **_forms("strd", Form(Kind.STORE_PAIR, "ss", 4)),
    **_forms("stm stmia stmdb push", Form(Kind.STORE_MULTIPLE, "s", 4)),
    **_forms("pld pldw pli", Form(Kind.PRELOAD)),
    **_forms("b bl blx bx bxns blxns cbz cbnz", Form(Kind.BRANCH, "b")),
    **_forms("tbb", Form(Kind.TABLE_BRANCH, "", 1)),
    **_forms("tbh", Form(Kind.TABLE_BRANCH, "", 2)),
    **_forms("nop hint yield sev sevl wfe wfi esb csdb tsb", Form(Kind.NOP)),
    **_forms("dsb isb dmb clrex cps cpsid cpsie svc bkpt udf trap dbg sg", Form(Kind.SYSTEM)),
    **_forms("mrs", Form(Kind.SYSTEM, "d", reads_flags=True)),
    **_forms("msr", Form(Kind.SYSTEM, "r")),
    **_forms("tt ttt tta ttat", Form(Kind.SYSTEM, "dr")),
    **_forms("vmsr", Form(Kind.FP_FROM_CORE, "r")),
    **_forms("vmrs", Form(Kind.FP_TO_CORE, "d")),
    **_forms("vadd vsub vmaxnm vminnm vseleq vselge vselgt vselvs", Form(Kind.FP_ADD, "dFF")),
    **_forms("vcvt vcvtr vcvtb vcvtt vcvta vcvtn vcvtp vcvtm", Form(Kind.FP_ADD, "dFF")),
    **_forms("vrinta vrintn vrintp vrintm vrintz vrintr vrintx", Form(Kind.FP_ADD, "dF")),
    **_forms("vcmp vcmpe", Form(Kind.FP_ADD, "F")),
    **_forms("vmul vnmul", Form(Kind.FP_MULTIPLY, "dGG")),
    **_forms("vfma vfms vfnma vfnms", Form(Kind.FP_FUSED, "APP")),
    **_forms("vmla vmls vnmla vnmls", Form(Kind.FP_CHAINED, "APP")),
    **_forms("vdiv", Form(Kind.FP_DIVIDE, "dGG")),
    **_forms("vsqrt", Form(Kind.FP_ROOT, "dG")),
    **_forms("vabs vneg vmov", Form(Kind.FP_MOVE, "dM")),
    **_forms("vldr", Form(Kind.FP_LOAD, "d", 4)),
    **_forms("vstr", Form(Kind.FP_STORE, "S", 4)),
    **_forms("vldm vldmia vldmdb vpop", Form(Kind.FP_LOAD_MULTIPLE, "d", 4)),
    **_forms("vstm vstmia vstmdb vpush", Form(Kind.FP_STORE_MULTIPLE, "S", 4)),
}
"""Every mnemonic of Armv7E-M and Armv8-M Mainline that a compiler emits, without suffixes."""

DOUBLE = {
    Kind.FP_ADD: Kind.DOUBLE_ADD,
    Kind.FP_MULTIPLY: Kind.DOUBLE_MULTIPLY,
    Kind.FP_FUSED: Kind.DOUBLE_FUSED,
    Kind.FP_CHAINED: Kind.DOUBLE_FUSED,
    Kind.FP_DIVIDE: Kind.DOUBLE_DIVIDE,
    Kind.FP_ROOT: Kind.DOUBLE_ROOT,
}
"""What a kind becomes in double precision."""

_CONDITIONS = tuple(re.findall("..", "eqnecshscclomiplvsvchilsgeltgtle"))


@dataclass(frozen=True)
class Mnemonic:
    """A mnemonic taken apart.

    Attributes:
        name: key of ``FORMS``.
        form: what it means.
        sets_flags: it had the suffix S.
        condition: such as ``eq``; empty for none.
    """

    name: str
    form: Form
    sets_flags: bool
    condition: str


def parse_mnemonic(text: str) -> Mnemonic | None:
    """Take a mnemonic such as ``addseq.w`` apart; None for one that is unknown."""
    stem = text.split(".", 1)[0]
    condition = stem[-2:] if stem[-2:] in _CONDITIONS else ""
    shorter = stem[: len(stem) - len(condition)]
    # BLS is B with a condition, but MULS no MU: a flag suffix is the last explanation.
    for name, suffix, sets_flags in (
        (stem, "", False),
        (shorter, condition, False),
        (stem.removesuffix("s"), "", True),
        (shorter.removesuffix("s"), condition, True),
    ):
        if name in FORMS:
            return Mnemonic(name, FORMS[name], sets_flags, suffix)
    return None
