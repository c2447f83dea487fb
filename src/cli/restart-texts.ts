/** What a restart did, as people read it. */
import type { Colours } from '../observe/colours.ts';
import { formatMilliseconds } from '../observe/format.ts';
import type { RestartResult } from '../workflows/contract.ts';
import type { ExitCode, Shell } from './shell.ts';

export function showRestart(shell: Shell, result: RestartResult): ExitCode {
  shell.result(result, (colours) => restartText(result, colours));
  return result.outcome === 'unhealthy' ? 1 : 0;
}

function restartText(
  { outcome, containers, dependants, left, recoveryMs, downMs, next }: RestartResult,
  colours: Colours,
): string {
  const mark = (ok: boolean, now: string): string => (ok ? colours.green(now) : colours.red(now));
  const down = downMs === undefined ? '' : `; it was down for ${formatMilliseconds(downMs)}`;
  const heads: Readonly<Record<RestartResult['outcome'], string>> = {
    nothing: colours.green('nothing to start: nothing is down that should be up'),
    restarted: `${colours.green('up again')} in ${formatMilliseconds(recoveryMs ?? 0)}${down}`,
    unhealthy: colours.red('it has not helped'),
  };
  return [
    heads[outcome],
    ...containers.map(({ name, host, what, ok, now }) => `  ${name} on ${host} (${what}): ${mark(ok, now)}`),
    ...dependants.map(({ name, ok, now }) => `  ${name}, which depends on it: ${mark(ok, now)}`),
    ...left.map(({ name, why }) => `  ${colours.yellow('left')} ${name}: ${why}`),
    ...containers.filter(({ ok }) => !ok).map(({ log }) => `  log: ${log}`),
    ...(next === undefined ? [] : [`${colours.cyan('try')} ${next}`]),
  ].join('\n');
}
