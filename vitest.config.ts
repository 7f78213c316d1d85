import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  resolve: { alias: { 'sparse-kernels': fileURLToPath(new URL('lib/index.ts', import.meta.url)) } },
  test: {
    include: ['test/**/*.test.ts'],
    pool: 'forks', // native state: a crash or a leak stays in its own process
    fileParallelism: false, // the native suite compiles on all cores; tests of the event loop need theirs
    testTimeout: 60_000,
    hookTimeout: 600_000, // the packaging and native suites build in a hook
    execArgv: ['--expose-gc'],
  },
});
