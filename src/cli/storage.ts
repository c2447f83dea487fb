import type { Command } from 'commander';
import { addCommand, perform, type CommonOptions, type ExitCode, type Shell } from './shell.ts';

interface Options extends CommonOptions {
  readonly store?: string;
}

export function defineStorage(program: Command): void {
  addCommand(program, 'storage <system>', {
    summary: 'what lies in the stores, how it grows and what it costs',
    description:
      'Bytes and objects by store, component and class; how much deduplication and compression save; growth by month;\n' +
      'costs by the table of prices that the system file names (`prices`); what no backup names and a prune would free.\n' +
      'Lists the stores and reads manifests and checksums; an identity is only needed to count what is unique.',
    examples: ['storage tracktion', 'storage tracktion --store s3 --json'],
  })
    .option('--store <name>', 'only this store')
    .action((system: string, options: Options) => perform(options, (shell) => storage(shell, system, options)));
}

async function storage(shell: Shell, name: string, options: Options): Promise<ExitCode> {
  const [{ loadSystem }, { storageReport }, { storageText }] = await Promise.all([
    import('../system/load.ts'),
    import('./storage-report.ts'),
    import('./storage-texts.ts'),
  ]);
  const report = await storageReport(await loadSystem(name), options.store);
  shell.result(report, (colours) => storageText(report, colours));
  for (const { store, error } of report.unread) shell.say(`the store ${store} could not be read: ${error.message}`);
  return report.unread.length > 0 ? 2 : 0;
}
