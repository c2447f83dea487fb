import type { Command } from 'commander';
import type { AuditLog } from '../status/audit-log.ts';
import type { System } from '../system/types.ts';
import { addCommand, perform, type CommonOptions, type ExitCode, type Shell } from './shell.ts';

interface Options extends CommonOptions {
  readonly verify?: boolean;
  readonly since?: string;
}

export function defineAudit(program: Command): void {
  addCommand(program, 'audit <system>', {
    summary: 'who asked for what, who approved it, and what came of it',
    description:
      'Prints the audit log that lies in the stores: every plan that asked for approval with its digest, who asked, who\n' +
      'approved or rejected, and the outcome. Each time the whole log is checked: signatures, the chain of hashes, and the\n' +
      'stores against each other, so that a cut, an edit and a cut-off end show; `--verify` prints only what was found.\n' +
      'It is compared with what manifests and this machine remember of it; with `--verify` also with what the engine has\n' +
      'written down, where one answers. Names are claims unless the engine authenticates people. Needs no engine.\n' +
      'Exit 0 when the log is whole, 1 when it is not, 2 when a store could not be read.',
    examples: ['audit m2m-connector', 'audit m2m-connector --since 2026-11-01', 'audit m2m-connector --verify --json'],
  })
    .option('--verify', 'only whether the log is whole, also by what the engine says')
    .option('--since <time>', 'only events from then on (RFC 3339); all are checked')
    .action((system: string, options: Options) => perform(options, (shell) => audit(shell, system, options)));
}

async function audit(shell: Shell, name: string, options: Options): Promise<ExitCode> {
  const [{ HoldfastError }, { loadSystem }, { auditLog }, { auditText, verdictText }] = await Promise.all([
    import('../failures.ts'),
    import('../system/load.ts'),
    import('../status/audit-log.ts'),
    import('./audit-texts.ts'),
  ]);
  const sinceMs = options.since === undefined ? Number.NEGATIVE_INFINITY : Date.parse(options.since);
  if (Number.isNaN(sinceMs)) throw new HoldfastError('BadInput', `--since ${options.since ?? ''} is not a time`);
  const system = await loadSystem(name);
  const { events, ...log } =
    options.verify === true ? await verified(shell, system) : await auditLog(system, Date.now());
  const shown = events.filter(({ event }) => Date.parse(event.at) >= sinceMs);
  if (options.verify === true) shell.result(log, (colours) => verdictText(log, colours));
  else shell.result({ ...log, events: shown }, (colours) => auditText(log, shown, colours));
  for (const { store, error } of log.unread) shell.say(`the store ${store} could not be read: ${error.message}`);
  if (!log.ok) return 1;
  return log.unread.length > 0 ? 2 : 0;
}

/** An engine that does not answer is told: what only it could have seen stays unseen. */
async function verified(shell: Shell, system: System): Promise<AuditLog> {
  const [{ connectEngine }, { HoldfastError }, { auditLog, auditLogByEngine }] = await Promise.all([
    import('../engine/connect.ts'),
    import('../failures.ts'),
    import('../status/audit-log.ts'),
  ]);
  try {
    await using engine = await connectEngine(undefined, { refusedLimitMs: 0 });
    return await auditLogByEngine(system, Date.now(), engine.client);
  } catch (error) {
    if (!(error instanceof HoldfastError) || error.code !== 'EngineUnreachable') throw error;
    shell.say(`not compared with the engine: ${error.message}`);
    return auditLog(system, Date.now());
  }
}
