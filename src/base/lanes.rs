//! Arrays of a fixed length in plain loops, which a compiler turns into SIMD.

/// Length of [`Lanes`]: one AVX-512 register or two of AVX2. Attention measured faster with 16 than with 8 or 32.
pub const LANES: usize = 16;

pub type Lanes = [f32; LANES];

/// `a b + c`, rounded once if the CPU has an instruction for it. Without one, that would be a function call.
#[inline(always)]
pub fn mul_add<const FMA: bool>(a: f32, b: f32, c: f32) -> f32 {
    if FMA { a.mul_add(b, c) } else { a * b + c }
}

/// Added to a small number, this leaves the nearest integer, plus the exponent's bias of 127, in the lowest bits.
pub const EXP2_ROUND: f32 = 12_582_912.0 + 127.0;
/// Coefficients of `2^f` for `f` within 0.5 of 0, highest power first: Remez's algorithm gives 7.5e-8.
pub const EXP2_SERIES: [f32; 6] =
    [0.001_327_647_3, 0.009_675_541, 0.055_507_13, 0.240_221_2, 0.693_146_94, 1.000_000_1];

/// `2^x` for `x` up to 0, with a relative error below 2e-7; 0 below -126. The standard library's version takes a
/// call per number.
#[inline(always)]
pub fn exp2<const FMA: bool>(x: f32) -> f32 {
    let whole = x + EXP2_ROUND;
    let power = f32::from_bits(whole.to_bits() << 23);
    let f = x - (whole - EXP2_ROUND);
    let mut series = EXP2_SERIES[0];
    for coefficient in &EXP2_SERIES[1..] {
        series = mul_add::<FMA>(series, f, *coefficient);
    }
    if x < -126.0 { 0.0 } else { series * power }
}

/// Sum of `x`, by halves.
#[inline(always)]
pub fn total(mut x: Lanes) -> f32 {
    let mut half = LANES / 2;
    while half > 0 {
        for l in 0..half {
            x[l] += x[l + half];
        }
        half /= 2;
    }
    x[0]
}

/// Compiles a function three times: for the build's target, for AVX2 and for AVX-512. Each call picks one of them.
/// x86-64 programs are compiled for the CPUs of 2003. The function may be generic in one type. In the
/// body, `FMA` is true if [`mul_add`] may be one instruction.
macro_rules! wide {
    (
        $(#[$attribute:meta])*
        $vis:vis fn $name:ident $(<$generic:ident: $bound:path>)? ($($arg:ident: $type:ty),* $(,)?) $body:block
    ) => {
        $(#[$attribute])*
        #[allow(clippy::too_many_arguments)]
        $vis fn $name $(<$generic: $bound>)? ($($arg: $type),*) {
            #[inline(always)]
            fn any<const FMA: bool $(, $generic: $bound)?>($($arg: $type),*) $body
            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx2,fma")]
                fn avx2 $(<$generic: $bound>)? ($($arg: $type),*) {
                    any::<true $(, $generic)?>($($arg),*)
                }
                #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
                fn avx512 $(<$generic: $bound>)? ($($arg: $type),*) {
                    any::<true $(, $generic)?>($($arg),*)
                }
                match $crate::base::lanes::cpu() {
                    // SAFETY: the CPU has what the function is compiled for.
                    $crate::base::lanes::Cpu::Avx512 => return unsafe { avx512 $(::<$generic>)? ($($arg),*) },
                    // SAFETY: as above.
                    $crate::base::lanes::Cpu::Avx2 => return unsafe { avx2 $(::<$generic>)? ($($arg),*) },
                    $crate::base::lanes::Cpu::Any => {}
                }
            }
            any::<false $(, $generic)?>($($arg),*)
        }
    };
}
pub(crate) use wide;

/// Kinds of CPU that `wide!` distinguishes.
#[cfg(target_arch = "x86_64")]
pub enum Cpu {
    Avx512,
    Avx2,
    Any,
}

/// Kind of the CPU that runs this program.
#[cfg(target_arch = "x86_64")]
pub fn cpu() -> Cpu {
    let avx2 = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
    let avx512 = is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512dq")
        && is_x86_feature_detected!("avx512vl");
    match (avx2, avx512) {
        (true, true) => Cpu::Avx512,
        (true, false) => Cpu::Avx2,
        _ => Cpu::Any,
    }
}
