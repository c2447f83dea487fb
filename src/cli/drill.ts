import { Option, type Command } from 'commander';
import { collect } from './choice-options.ts';
import { addCommand, perform, type CommonOptions, type ExitCode, type Shell } from './shell.ts';

export interface DrillOptions extends CommonOptions {
  readonly kind?: string;
  readonly olderThan?: string;
  readonly plan?: string;
  readonly component?: readonly string[];
  readonly freshBackup?: boolean;
  readonly stack?: boolean;
  readonly dryRun?: boolean;
}

export interface DrillsOptions extends CommonOptions {
  readonly show?: string;
  readonly limit?: string;
  readonly format?: 'text' | 'markdown' | 'html';
}

export function defineDrill(program: Command): void {
  addCommand(program, 'drill <system> [backup]', {
    summary: 'rehearse a restore in isolation, measured, and remove it again',
    description:
      'Restores into places of its own (volumes, directories, scratch PostgreSQL servers), checks what came back, starts\n' +
      'the Compose project on it in isolation, measures RTO and RPO against the objectives, compares with earlier drills,\n' +
      'keeps a signed report, and removes everything. Nothing live is touched. A backup that is restored whole and well\n' +
      'is proved by it. Without a backup the newest of each component is taken; with --kind, what the section `drills`\n' +
      'says. Exit 0 when it passed, 1 when it failed, 2 when it could not be told.',
    examples: [
      'drill m2m-connector --dry-run',
      'drill m2m-connector',
      'drill m2m-connector 82eed6cab96c',
      'drill tbcv --older-than 30d --plan daily',
      'drill tbcv --kind quarterly',
    ],
  })
    .option('--kind <name>', 'as this drill of the section `drills` says')
    .option('--older-than <duration>', 'the backup whose age comes nearest, such as 30d')
    .option('--plan <name>', 'only backups of this plan')
    .option('--component <name>', 'only this component (may be repeated)', collect)
    .option('--fresh-backup', 'make a backup first')
    .option('--no-stack', 'do not start the Compose project')
    .option('--dry-run', 'print what would be made and end')
    .action((system: string, backup: string | undefined, options: DrillOptions) =>
      perform(options, (shell) => drill(shell, system, backup, options)),
    );
}

export function defineDrills(program: Command): void {
  addCommand(program, 'drills <system>', {
    summary: 'the drills that were made, from the stores',
    description:
      'Reads the signed reports in the stores; neither engine nor identity is needed. Newest first: when, of which kind,\n' +
      'how it ended, RTO and RPO beside their objectives. With --show one report, as text, Markdown, HTML or JSON.',
    examples: ['drills tbcv', 'drills tbcv --json', 'drills tbcv --show latest --format markdown > drill.md'],
  })
    .option('--show <drill>', 'one report: `latest`, or the first characters of its id')
    .option('--limit <number>', 'at most so many (default 20)')
    .addOption(new Option('--format <format>', 'of --show; default: text').choices(['text', 'markdown', 'html']))
    .action((system: string, options: DrillsOptions) =>
      perform(options, async (shell) => {
        const { showDrills } = await import('./run-drill.ts');
        return showDrills(shell, system, options);
      }),
    );
}

async function drill(
  shell: Shell,
  system: string,
  backup: string | undefined,
  options: DrillOptions,
): Promise<ExitCode> {
  const { runDrill } = await import('./run-drill.ts');
  return runDrill(shell, system, backup, options);
}
