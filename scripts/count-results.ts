// tsx scripts/count-results.ts <report.json> <exit code of the tests> <exit code of the check>
// The last line of .ci/run: `N passed, N failed`, and `, N skipped` where there are any, from the report of Vitest's JSON reporter.
import { readFileSync } from 'node:fs';

interface Report {
  numPassedTests: number;
  numFailedTests: number;
  numPendingTests: number;
  numTodoTests: number;
  testResults: { status: string; assertionResults: { status: string }[] }[];
}

const [file = '', testsExit, checkExit] = process.argv.slice(2);
const { passed, failed, skipped } = count(load(file));
// An exit code that no test accounts for (an error outside the tests, a crash before the report) counts as one failure.
const unexplained = testsExit !== '0' && failed === 0 ? 1 : 0;
const total = failed + unexplained + (checkExit === '0' ? 0 : 1);
console.log(`${passed} passed, ${total} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`);
process.exitCode = total === 0 ? 0 : 1;

/** Undefined where Vitest did not get so far. */
function load(path: string): Report | undefined {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    return undefined;
  }
}

function count(report: Report | undefined): { passed: number; failed: number; skipped: number } {
  if (!report) return { passed: 0, failed: 0, skipped: 0 };
  // A file can fail without a failed test: its imports or its hooks threw.
  const brokenFiles = report.testResults.filter(
    ({ status, assertionResults }) => status === 'failed' && assertionResults.every((test) => test.status !== 'failed'),
  );
  const failed = report.numFailedTests + brokenFiles.length;
  return { passed: report.numPassedTests, failed, skipped: report.numPendingTests + report.numTodoTests };
}
