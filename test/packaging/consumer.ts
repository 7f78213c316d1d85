/** The files of a small project that depends on the package. Its programs print the result of one kernel. */
const multiply = `nm.plan({ weight: { data: Float32Array.of(1, 0, 2, 0), dims: [1, 4] }, pattern: '2:4' })
  .runSync(Float32Array.of(1, 1, 1, 1)).data[0]`;

export const result = '3\n';

export const programs: Record<string, string> = {
  'esm.mjs': `import { nm } from 'sparse-kernels';
console.log(${multiply});`,

  'cjs.cjs': `const { nm } = require('sparse-kernels');
console.log(${multiply});`,

  'worker.mjs': `import { isMainThread, parentPort, Worker } from 'node:worker_threads';
import { nm } from 'sparse-kernels'; // in both threads
if (isMainThread) new Worker(new URL(import.meta.url)).on('message', (y) => console.log(y));
else parentPort.postMessage(${multiply});`,
};

/** What TypeScript users write; the unused results pin the declared types. */
export const typed: Record<string, string> = {
  'typed.mts': `import { cpu, type Isa, nm, SparseKernelsError, type Tensor, type TensorLike } from 'sparse-kernels';
const weight: TensorLike = { data: new Float32Array(4), dims: [1, 4] };
const layer: nm.Plan = nm.plan({ weight, pattern: '2:4' });
export const y: Promise<Tensor> = layer.run(new Float32Array(4));
export const isa: readonly Isa[] = cpu().isa;
export const code = (error: unknown) => (error instanceof SparseKernelsError ? error.code : undefined);
// @ts-expect-error: the types are more than any
nm.plan({ weight, pattern: 24 });`,

  'typed.cts': `import sparse = require('sparse-kernels');
const pruned: sparse.Tensor = sparse.nm.prune({ data: new Float32Array(4), dims: [1, 4] }, { pattern: '2:4' });
export const plan: sparse.nm.Plan = sparse.nm.plan({ weight: pruned, pattern: '2:4' });
// @ts-expect-error: the types are more than any
sparse.setNumThreads('2');`,
};

/** Declarations are checked, too: no skipLibCheck. */
export const tsconfig = (typeRoots: string) => ({
  compilerOptions: {
    target: 'es2022',
    module: 'nodenext',
    moduleResolution: 'nodenext',
    strict: true,
    noEmit: true,
    types: ['node'],
    typeRoots: [typeRoots],
  },
  files: Object.keys(typed),
});
