/** A check of the operator's own: exit 0 means good. */
import type { ComponentCheck } from '../../system/types.ts';
import { line, tail } from './report.ts';
import type { CheckLine } from './report.ts';
import { runProgram } from './program.ts';

/** `{}` in the command is the scratch copy; without one it is the working directory alone. */
export async function checkByCommand(
  check: Extract<ComponentCheck, { kind: 'command' }>,
  copy: string,
  signal: AbortSignal,
): Promise<CheckLine[]> {
  const command = check.command.map((word) => word.replaceAll('{}', copy));
  const limits = { timeoutMs: check.timeoutSeconds * 1000, signal, cwd: copy };
  const { exitCode, killedBy, timedOut, output } = await runProgram(command, limits);
  const name = `command ${check.command[0] ?? ''}`;
  if (timedOut) return [line(name, false, `not finished after ${check.timeoutSeconds} s; ${tail(output)}`)];
  const said = tail(output);
  return [line(name, exitCode === 0, `exit ${exitCode ?? killedBy ?? 'unknown'}${said === '' ? '' : `: ${said}`}`)];
}
