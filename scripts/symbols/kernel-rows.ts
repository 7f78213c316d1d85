/** The rows of a kernels.def: `SK_SPMM_AVX2(2x4, 2, 4)` promises a symbol `sk::spmm_<dtype>_2x4_avx2` in native/spmm/avx2.cc. */
export interface KernelRow {
  readonly isa: string;
  /** Matches the demangled name; the dtype stands in the macro's definition, not in the row. */
  readonly symbol: RegExp;
}

export function kernelRows(verb: string, kernelsDef: string): KernelRow[] {
  const row = new RegExp(`^SK_${verb.toUpperCase()}_(\\w+)\\((\\w+)`, 'gm');
  return [...kernelsDef.matchAll(row)].map(([, macro = '', pattern]) => {
    const isa = macro.toLowerCase();
    return { isa, symbol: new RegExp(`^sk::${verb}_[a-z0-9]+_${pattern}_${isa}$`) };
  });
}
