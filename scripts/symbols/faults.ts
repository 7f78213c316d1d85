/** What may be wrong with the symbols of one ISA object. */
export interface Symbol {
  /** The letter of nm: capital for global, `U` undefined, `w` `W` `v` `V` weak, `u` unique, small for local. */
  readonly kind: string;
  readonly name: string;
}

/** What compilers call by themselves to copy or clear memory. */
const allowedUndefined = ['memcpy', 'memmove', 'memset'];

export function parseNm(output: string): Symbol[] {
  return [...output.matchAll(/^[0-9a-f ]{8,16} (\w) (.+)$/gm)].map(([, kind = '', name = '']) => ({ kind, name }));
}

export function faultsOf(symbols: readonly Symbol[], kernels: readonly RegExp[]): string[] {
  const defined = symbols.filter(({ kind }) => /[A-TX-Z]/.test(kind));
  const missing = kernels.filter((kernel) => !defined.some(({ name }) => kernel.test(name)));
  return [
    ...symbols.flatMap((symbol) => fault(symbol, kernels)),
    ...missing.map((kernel) => `no symbol ${kernel.source} for its row of kernels.def`),
  ];
}

function fault({ kind, name }: Symbol, kernels: readonly RegExp[]): string[] {
  if (/[wWvVu]/.test(kind)) return [`weak symbol ${name}`];
  if (kind === 'U') return allowedUndefined.includes(name) ? [] : [`calls ${name}, which is defined elsewhere`];
  if (/[A-Z]/.test(kind)) return kernels.some((kernel) => kernel.test(name)) ? [] : [`global symbol ${name} is no row of kernels.def`];
  return name.startsWith('_GLOBAL__sub_I_') ? [`static initialiser ${name}: runs at load time, on every machine`] : [];
}
