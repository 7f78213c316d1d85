/**
 * The rows of a kernels.def: `SK_SPMM_AVX2(f32_2x4, 2, 4)` promises a symbol `sk::spmm_f32_2x4_avx2` in native/spmm/avx2.cc,
 * `SK_SPMM_AVX2_INT8(w8a8_2x4, int8_t, 2, 4)` one in native/spmm/avx2_int8.cc.
 */
export interface KernelRow {
  /** Of its file, without `.cc`. */
  readonly file: string;
  /** Matches the demangled name. */
  readonly symbol: RegExp;
}

export function kernelRows(verb: string, kernelsDef: string): KernelRow[] {
  const row = new RegExp(`^SK_${verb.toUpperCase()}_(\\w+)\\((\\w+)`, 'gm');
  return [...kernelsDef.matchAll(row)].map(([, macro = '', name]) => {
    const file = macro.toLowerCase();
    return { file, symbol: new RegExp(`^sk::${verb}_${name}_${file.split('_')[0]}$`) };
  });
}
