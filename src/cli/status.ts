import type { Command } from 'commander';
import { addCommand, perform, type CommonOptions, type ExitCode, type Shell } from './shell.ts';

export function defineStatus(program: Command): void {
  addCommand(program, 'status [system]', {
    summary: 'is everything as promised, and what is going on?',
    description:
      'For each system: whether the newest usable backup of each plan is within its rpo, how many copies of it there are,\n' +
      'on how many media and where, which stores are behind and why, when each store was last read back as a whole, what\n' +
      'runs, and what waits for a person. Backups are read from the stores, so that it also answers without the engine.\n' +
      'Exit 1 when a plan is stale or missing, its copies are short of the rule or late, a write-ahead log is not received\n' +
      'or behind, a store was found to hold something bad, or somebody is waited for. What `monitor` finds wrong stands\n' +
      'at the end, each with what to do; its exit codes are about every limit.',
    examples: ['status', 'status m2m-connector --json'],
  }).action((system: string | undefined, options: CommonOptions) => perform(options, (shell) => status(shell, system)));
}

async function status(shell: Shell, name: string | undefined): Promise<ExitCode> {
  const [
    { knownSystems },
    { systemStatus, statusOfNothing, systemText, exitOf },
    { runningOperations },
    { readTargets },
  ] = await Promise.all([
    import('../system/last-good.ts'),
    import('../status/system-status.ts'),
    import('../status/running.ts'),
    import('../engine/metrics-targets.ts'),
  ]);
  const known = await knownSystems(name === undefined ? [] : [name]);
  if (known.length === 0) {
    shell.result({ systems: [] }, () => 'no system is registered here; start with: holdfast init <file>');
    return 0;
  }
  const engine = await runningOperations();
  const nowMs = Date.now();
  const [{ findingsOfKnown }, { findingText }] = await Promise.all([
    import('../status/findings.ts'),
    import('../status/findings-text.ts'),
  ]);
  const statuses = await Promise.all(
    known.map(async (one) => {
      const [status, { findings }] = await Promise.all([
        one.system === undefined ? statusOfNothing(one.name) : systemStatus(one.system, engine, nowMs),
        findingsOfKnown(one, engine, nowMs),
      ]);
      return { ...status, findings };
    }),
  );
  const { running, why, address, uiUrl, pageUrl } = engine;
  const metrics = running ? readTargets() : [];
  shell.result({ engine: { running, why, address, uiUrl, pageUrl, metrics }, systems: statuses }, (colours) => {
    const places = [`at ${address ?? ''}`, ...(uiUrl === undefined ? [] : [`UI ${uiUrl}`])];
    if (pageUrl !== undefined) places.push(`page ${pageUrl}`);
    const first = engine.running
      ? `engine  ${colours.green('runs')} ${places.join(', ')}`
      : `engine  ${colours.yellow('not running')}: ${engine.why ?? ''}`;
    const texts = statuses.map((one) => {
      // That the engine is down stands in the first line.
      const shown = one.findings.filter(({ check, subject }) => check !== 'engine' || subject !== 'engine');
      return [systemText(one, colours), ...shown.map((finding) => findingText(finding, colours))].join('\n');
    });
    return [first, ...texts].join('\n\n');
  });
  const exit = exitOf(statuses);
  return exit === 0 && known.some(({ fault }) => fault !== undefined) ? 1 : exit;
}
