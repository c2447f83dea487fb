import type { Command } from 'commander';
import type { Engine } from '../engine/connect.ts';
import type {
  BackupResult,
  ChecklistResult,
  CleanPointResult,
  CopyResult,
  DrillResult,
  FailoverResult,
  HousekeepingResult,
  MissingResult,
  PruneResult,
  RestartResult,
  RestoreResult,
  RowsResult,
  VerifyResult,
  VerifyStoreResult,
} from '../workflows/contract.ts';
import { addCommand, perform, type CommonOptions, type ExitCode, type Shell } from './shell.ts';

export function defineWatch(program: Command): void {
  addCommand(program, 'watch <operation>', {
    summary: 'follow an operation to its end',
    description:
      'Follows an operation by its workflow id, as printed when it was left and by `status`. The result and the exit\n' +
      'code are those of the operation. Ctrl-C leaves it running.',
    examples: ['watch m2m-connector/backup/daily', 'watch m2m-connector/restore --json'],
  }).action((operation: string, options: CommonOptions) => perform(options, (shell) => watch(shell, operation)));
}

async function watch(shell: Shell, workflowId: string): Promise<ExitCode> {
  const { connectEngine } = await import('../engine/connect.ts');
  await using engine = await connectEngine();
  return await watchOperation(shell, engine, workflowId);
}

/** Follows any operation; its result and its exit code are those of its own command. */
export async function watchOperation(shell: Shell, engine: Engine, workflowId: string): Promise<ExitCode> {
  const [{ findOperation, follow }, texts] = await Promise.all([import('./operation.ts'), import('./result-texts.ts')]);
  const handle = await findOperation(engine, workflowId);
  const { type } = await handle.describe();
  const followed = await follow<unknown>(engine, shell, handle);
  if (followed.state === 'left') return 2;
  switch (type) {
    case 'backup':
      return texts.showBackupResult(shell, followed.result as BackupResult);
    case 'verify':
      return texts.showVerifyResult(shell, followed.result as VerifyResult);
    case 'verifyStore': {
      const { showVerifyStoreResult } = await import('./verify-texts.ts');
      return showVerifyStoreResult(shell, followed.result as VerifyStoreResult);
    }
    case 'copy':
      return texts.showCopyResult(shell, followed.result as CopyResult);
    case 'prune': {
      const { showPruneResults } = await import('./prune-texts.ts');
      const store = workflowId.split('/').at(-1) ?? '';
      return showPruneResults(shell, [{ store, ...(followed.result as PruneResult) }]);
    }
    case 'restart': {
      const { showRestart } = await import('./restart-texts.ts');
      return showRestart(shell, followed.result as RestartResult);
    }
    case 'restore':
      return texts.showRestoreResult(shell, followed.result as RestoreResult);
    case 'restoreRows': {
      const { showRowsResult } = await import('./rows-texts.ts');
      return showRowsResult(shell, followed.result as RowsResult);
    }
    case 'restoreMissing': {
      const { showMissingResult } = await import('./missing-texts.ts');
      return showMissingResult(shell, workflowId.split('/')[0] ?? '', followed.result as MissingResult);
    }
    case 'cleanPoint': {
      const { showCleanPoint } = await import('./run-clean-point.ts');
      return showCleanPoint(shell, followed.result as CleanPointResult);
    }
    case 'checklist': {
      const { showChecklistResult } = await import('./run-checklist.ts');
      return showChecklistResult(shell, followed.result as ChecklistResult);
    }
    case 'drill': {
      const { showDrillResult } = await import('./drill-texts.ts');
      return showDrillResult(shell, followed.result as DrillResult);
    }
    case 'failover': {
      const { showFailoverResult } = await import('./failover-texts.ts');
      return showFailoverResult(shell, followed.result as FailoverResult);
    }
    case 'housekeeping': {
      const { showHousekeeping } = await import('./housekeep-texts.ts');
      return showHousekeeping(shell, [followed.result as HousekeepingResult]);
    }
    default:
      shell.result(followed.result ?? null, () => `ended: ${workflowId}`);
      return 0;
  }
}
