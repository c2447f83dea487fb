/** A question before something is changed without a plan that can be approved elsewhere. */
import type { Shell } from './shell.ts';

/** False without a terminal: `--yes` is what answers then. */
export async function agreed(shell: Shell, question = 'Make these changes?'): Promise<boolean> {
  if (!shell.interactive) return false;
  const { createInterface } = await import('node:readline/promises');
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return (await terminal.question(`${question} Type yes or no: `)).trim().toLowerCase() === 'yes';
  } finally {
    terminal.close();
  }
}
