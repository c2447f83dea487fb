/** All commands. What a command needs beyond this file is imported when it runs, so that each starts quickly. */
import { Command } from 'commander';
import { defineAck } from './ack.ts';
import { defineApply } from './apply.ts';
import { defineApprove } from './approve.ts';
import { defineAside } from './aside.ts';
import { defineAudit } from './audit.ts';
import { defineBackup } from './backup.ts';
import { defineChecklist } from './checklist.ts';
import { defineCleanPoint } from './clean-point.ts';
import { defineCopy } from './copy.ts';
import { defineDns } from './dns.ts';
import { defineDoctor } from './doctor.ts';
import { defineDrill, defineDrills } from './drill.ts';
import { defineFailback, defineFailover, defineFailovers } from './failover.ts';
import { defineGrants } from './grants.ts';
import { defineHold } from './hold.ts';
import { defineIncidents } from './incidents.ts';
import { defineHousekeep } from './housekeep.ts';
import { defineInit } from './init.ts';
import { defineList } from './list.ts';
import { defineLogs } from './logs.ts';
import { defineMissing } from './missing.ts';
import { defineMonitor } from './monitor.ts';
import { defineNotify } from './notify.ts';
import { definePolicy } from './policy.ts';
import { definePrune } from './prune.ts';
import { defineReject } from './reject.ts';
import { defineRestart } from './restart.ts';
import { defineRestore } from './restore.ts';
import { defineRows } from './rows.ts';
import { defineRunbook } from './runbook.ts';
import { defineSchedule } from './schedule.ts';
import { defineSchema } from './schema.ts';
import { defineShow } from './show.ts';
import { defineSite } from './site.ts';
import { defineStatus } from './status.ts';
import { defineStorage } from './storage.ts';
import { defineStore } from './store.ts';
import { defineUp } from './up.ts';
import { defineVerify } from './verify.ts';
import { VERSION } from './version.ts';
import { defineWatch } from './watch.ts';

export function createProgram(): Command {
  const program = new Command('holdfast')
    .description('Keeps self-hosted stacks recoverable: durable backup, verification and restore on Temporal.')
    .version(VERSION, '-V, --version')
    .showSuggestionAfterError(true)
    .showHelpAfterError('(--help shows what is accepted)')
    .helpCommand('help [command]', 'help for a command')
    .configureHelp({ sortSubcommands: false, sortOptions: false })
    .exitOverride()
    .addHelpText(
      'after',
      [
        '',
        'First steps:',
        '  $ holdfast init --example my-stack.yaml    a commented model to fill in',
        '  $ holdfast init my-stack.yaml              keys, vaults, recovery kit',
        '  $ holdfast doctor my-stack                 is everything there?',
        '  $ holdfast up                              the engine and the workers, in the foreground',
        '  $ holdfast backup my-stack daily           from another terminal',
        '',
        'Environment: HOLDFAST_HOME (state and keys), HOLDFAST_HOST (which host this machine is), HOLDFAST_LOG (level),',
        'TEMPORAL_ADDRESS and the other TEMPORAL_* settings (an engine elsewhere), NO_COLOR, FORCE_COLOR.',
      ].join('\n'),
    );
  for (const define of [
    defineInit,
    defineDoctor,
    defineSchema,
    defineGrants,
    definePolicy,
    defineStore,
    defineUp,
    defineApply,
    defineSchedule,
    defineBackup,
    defineCopy,
    definePrune,
    defineHold,
    defineHousekeep,
    defineChecklist,
    defineList,
    defineShow,
    defineVerify,
    defineStorage,
    defineRestart,
    defineRestore,
    defineRows,
    defineMissing,
    defineAside,
    defineSite,
    defineDrill,
    defineDrills,
    defineFailover,
    defineFailback,
    defineFailovers,
    defineCleanPoint,
    defineApprove,
    defineReject,
    defineAudit,
    defineDns,
    defineRunbook,
    defineStatus,
    defineMonitor,
    defineIncidents,
    defineAck,
    defineNotify,
    defineWatch,
    defineLogs,
  ]) {
    define(program);
  }
  return program;
}
