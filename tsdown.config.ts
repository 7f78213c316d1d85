import { defineConfig } from 'tsdown';

export default defineConfig({
  entry: 'lib/index.ts',
  format: ['esm', 'cjs'],
  dts: true,
  outDir: 'dist',
  platform: 'node',
  target: 'node20',
});
