/** Options that name a backup or a moment, and those of who approves: the same for every command that brings data back. */
import type { Command } from 'commander';

export interface ChoiceOptions {
  readonly before?: string;
  readonly toTime?: string;
  readonly toLsn?: string;
  readonly toName?: string;
  readonly toEnd?: boolean;
  readonly plan?: string;
  readonly store?: string;
}

export interface ApprovalOptions {
  readonly approve?: string;
  readonly by?: string;
  readonly wait?: boolean;
}

export const collect = (value: string, before: readonly string[] = []): string[] => [...before, value];

export function addChoice(command: Command): Command {
  return command
    .option('--before <time>', 'from the newest backup before this time (RFC 3339)')
    .option('--to-time <time>', 'a database cluster as it was at this time (RFC 3339); `show` says what is reachable')
    .option('--to-lsn <lsn>', 'a database cluster as it was at this position of its log')
    .option('--to-name <name>', 'a database cluster as it was at this restore point')
    .option('--to-end', 'a database cluster as far as its log goes')
    .option('--plan <name>', 'from the newest backup of this plan')
    .option('--store <name>', 'from this store');
}

export function addApproval(command: Command, what: 'plan' | 'preview'): Command {
  return command
    .option('--approve <digest>', `the digest of a ${what} that was shown and approved before`)
    .option('--by <name>', 'who approves (default: the user of this machine)')
    .option('--wait', 'without a terminal: wait until somebody approves or rejects');
}
