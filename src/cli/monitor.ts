import { Option, type Command } from 'commander';
import type { SystemFindings } from '../status/findings.ts';
import type { System } from '../system/types.ts';
import { addCommand, perform, type CommonOptions, type ExitCode, type Shell } from './shell.ts';

interface Options extends CommonOptions {
  readonly nagios?: boolean;
  readonly plan?: string;
  readonly ping?: boolean;
}

export function defineMonitor(program: Command): void {
  addCommand(program, 'monitor [systems...]', {
    summary: 'is every limit kept? for cron, Nagios and people',
    description:
      'Judges each system against the limits of its file: the newest backup of each plan, the newest proved one, the\n' +
      'copies in each store, write-ahead logs, sizes against the seven days before, stores, disks, components, clocks,\n' +
      'tools, rights, the last runs, and the engine. It reads the stores itself and needs no engine: that the engine is\n' +
      'down is one of the things it finds. Each finding says what to do.\n\n' +
      'Exit 0: every limit is kept. 1: one is broken. 2: it could not be told. With `--nagios` those of Nagios: 0 OK,\n' +
      '1 warning, 2 critical, 3 unknown.',
    examples: [
      'monitor',
      'monitor m2m-connector --plan hourly --json',
      'monitor m2m-connector --nagios',
      'monitor --ping    from cron, where no engine is',
    ],
  })
    .option('--nagios', 'one line with performance data, and the exit codes of Nagios')
    .option('--plan <name>', 'only what concerns this plan')
    .addOption(new Option('--ping', 'then give the sign of life that `monitor.ping` names'))
    .action((systems: string[], options: Options) =>
      options.nagios === true
        ? performNagios(systems, options)
        : perform(options, (shell) => monitor(shell, systems, options)),
    );
}

const NOTHING_HERE = 'no system is registered here; start with: holdfast init <file>';

interface Looked {
  readonly found: readonly SystemFindings[];
  readonly kept: boolean;
}

async function look(shell: Pick<Shell, 'say'>, names: readonly string[], options: Options): Promise<Looked> {
  const [{ knownSystems }, { findingsOfKnown, isKept }, { runningOperations }] = await Promise.all([
    import('../system/last-good.ts'),
    import('../status/findings.ts'),
    import('../status/running.ts'),
  ]);
  const known = await knownSystems(names);
  const engine = await runningOperations();
  const nowMs = Date.now();
  const found = await Promise.all(known.map((one) => findingsOfKnown(one, engine, nowMs)));
  const systems = known.flatMap(({ system }) => system ?? []);
  const shown = options.plan === undefined ? found : await ofPlan(systems, found, options.plan);
  if (options.ping === true) {
    for (const system of systems) {
      await ping(
        shell,
        system,
        found.find((one) => one.system === system.name),
        nowMs,
      );
    }
  }
  // Where nothing is registered, nothing is known to be well.
  return { found: shown, kept: shown.length > 0 && shown.every(isKept) };
}

async function ofPlan(
  systems: readonly System[],
  found: readonly SystemFindings[],
  plan: string,
): Promise<SystemFindings[]> {
  const [{ concernsPlan }, { planOf }] = await Promise.all([
    import('../status/findings-text.ts'),
    import('../status/of-system.ts'),
  ]);
  return found.flatMap((one) => {
    const system = systems.find(({ name }) => name === one.system);
    // A bad file concerns every plan.
    if (system === undefined) return [one];
    const concerns = concernsPlan(system, planOf(system, plan).name);
    const plans = one.facts.plans.filter((numbers) => numbers.plan === plan);
    const unknown = one.unknown.filter(({ what }) => {
      const [check = '', ...subject] = what.split('/');
      return concerns({ check: check as never, subject: subject.join('/') });
    });
    return [{ ...one, findings: one.findings.filter(concerns), unknown, facts: { ...one.facts, plans } }];
  });
}

/** That nobody could be told is no finding of the system. */
async function ping(
  shell: Pick<Shell, 'say'>,
  system: System,
  found: SystemFindings | undefined,
  nowMs: number,
): Promise<void> {
  const [{ tellAlive }, { tell }] = await Promise.all([import('../status/ping.ts'), import('../observe/told.ts')]);
  try {
    await tellAlive(system, { broken: (found?.findings.length ?? 0) > 0, nowMs });
  } catch (error) {
    const { message, hint } = tell(error);
    shell.say(`no sign of life was given: ${message}\n  try ${hint}`);
  }
}

async function monitor(shell: Shell, names: readonly string[], options: Options): Promise<ExitCode> {
  const { found, kept } = await look(shell, names, options);
  const broken = found.some(({ findings }) => findings.length > 0);
  const { findingsText } = await import('../status/findings-text.ts');
  shell.result({ ok: kept, systems: found }, (colours) =>
    found.length === 0 ? NOTHING_HERE : found.map((one) => findingsText(one, colours)).join('\n\n'),
  );
  return broken ? 1 : kept ? 0 : 2;
}

/** Whatever happens is an answer to Nagios, on stdout, with its own exit code. */
async function performNagios(names: readonly string[], options: Options): Promise<void> {
  const [{ nagiosOf, nagiosUnknown }, { tell }] = await Promise.all([
    import('../status/nagios.ts'),
    import('../observe/told.ts'),
  ]);
  let answer: { code: number; text: string };
  try {
    const say = (text: string): void => void process.stderr.write(`${text}\n`);
    const { found, kept } = await look({ say }, names, options);
    answer = found.length === 0 ? nagiosUnknown(NOTHING_HERE) : nagiosOf(found, kept);
  } catch (error) {
    answer = nagiosUnknown(tell(error).message);
  }
  await new Promise<void>((resolve) => void process.stdout.write(`${answer.text}\n`, () => resolve()));
  process.exit(answer.code);
}
