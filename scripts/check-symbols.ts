// Builds the ISA objects in Release and in Debug and reads their symbol tables. A weak or a stray global symbol compiled with AVX-512
// flags can be the copy that the linker keeps for everybody, and a static initialiser runs before any CPU check: both end in SIGILL.
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { basename, join } from 'node:path';
import { conclude, filesIn, read, root } from './project.js';
import { faultsOf, parseNm } from './symbols/faults.js';
import { kernelRows } from './symbols/kernel-rows.js';

const verbs = filesIn(['native'], /^native\/\w+\/kernels\.def$/).map((file) => file.split('/')[1] ?? '');
const problems = ['Release', 'Debug'].flatMap((configuration) => check(configuration, join('build-symbols', configuration.toLowerCase())));
const advice = 'Give helpers internal linkage, call nothing, list every kernel in kernels.def; then: npx tsx scripts/check-symbols.ts';
conclude('check-symbols', problems, advice);

function check(configuration: string, build: string): string[] {
  try {
    run('cmake', '-S', '.', '-B', build, `-DCMAKE_BUILD_TYPE=${configuration}`, '-DSK_CUDA=OFF');
    run('cmake', '--build', build, '--parallel', '2', ...verbs.flatMap((verb) => ['--target', `${verb}_isa`]));
  } catch (error) {
    const { message, stdout = '' } = error as Error & { stdout?: string }; // the message holds stderr; ninja prints on stdout
    return [`${configuration}: ${message}\n${stdout}`];
  }
  return verbs.flatMap((verb) => {
    const built = filesIn([join(build, 'CMakeFiles', `${verb}_isa.dir`)], /\.o$/);
    const objects = built.filter((object) => existsSync(join(root, 'native', verb, basename(object, '.o')))); // else left from an old source
    const rows = kernelRows(verb, read(`native/${verb}/kernels.def`));
    if (objects.length === 0) return [`${configuration}: CMake built no object of ${verb}_isa; see sk_add_verb in CMakeLists.txt`];
    return objects.flatMap((object) => {
      const file = basename(object).split('.', 1)[0] ?? '';
      const expected = rows.filter((row) => row.file === file).map((row) => row.symbol);
      const faults = faultsOf(parseNm(run('nm', '--demangle', object)), expected);
      return faults.map((fault) => `${configuration}: native/${verb}/${file}.cc: ${fault}`);
    });
  });
}

function run(command: string, ...args: string[]): string {
  return execFileSync(command, args, { cwd: root, encoding: 'utf8', stdio: 'pipe' });
}
