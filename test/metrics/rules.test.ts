import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { createProgram } from '../../src/cli/program.ts';
import { METRICS } from '../../src/metrics/definitions.ts';
import { createPage } from '../../src/metrics/page.ts';
import { MONITORING } from '../support/alerting.ts';
import { dashboardExpressions, metricsIn, ruleExpressions, shippedRules } from './shipped.ts';

interface RuleTest {
  readonly name: string;
  readonly promql_expr_test: readonly { readonly expr: string; readonly exp_samples: readonly object[] }[];
}

const ROOT = path.dirname(MONITORING);
const read = (...names: string[]): string => readFileSync(path.join(ROOT, ...names), 'utf8');

function tool(name: 'promtool' | 'amtool', args: readonly string[], input = ''): { code: number | null; said: string } {
  const { status, stdout, stderr } = spawnSync(name, args, {
    input,
    cwd: path.join(MONITORING, 'rules'),
    encoding: 'utf8',
  });
  return { code: status, said: `${stdout}${stderr}` };
}

describe("Prometheus' own judgment", () => {
  it('rules, configuration and the sample of Alertmanager: accepted', () => {
    expect(tool('promtool', ['check', 'rules', 'holdfast.yml'])).toMatchObject({ code: 0 });
    expect(tool('promtool', ['check', 'config', path.join(MONITORING, 'prometheus.yml')])).toMatchObject({ code: 0 });
    expect(tool('amtool', ['check-config', path.join(MONITORING, 'alertmanager.yml')])).toMatchObject({ code: 0 });
  });

  it('[T10] every alert: fires when it should, and only then', () => {
    const ran = tool('promtool', ['test', 'rules', 'holdfast.test.yml']);
    expect(ran.said).toContain('SUCCESS');
    expect(ran.code).toBe(0);
  });

  it('a rule that is too lax, or too strict: its test says so', () => {
    const scratch = mkdtempSync(path.join(tmpdir(), 'holdfast-rules-'));
    const judged = (from: string, to: string): string => {
      const rules = read('monitoring', 'rules', 'holdfast.yml');
      expect(rules).toContain(from);
      writeFileSync(path.join(scratch, 'holdfast.yml'), rules.replace(from, to));
      writeFileSync(path.join(scratch, 'test.yml'), read('monitoring', 'rules', 'holdfast.test.yml'));
      return tool('promtool', ['test', 'rules', path.join(scratch, 'test.yml')]).said;
    };
    try {
      expect(judged('{status="failure"}', '{status="lost"}')).toContain('FAILED');
      expect(judged('{status="failure"}', '')).toContain('FAILED');
    } finally {
      rmSync(scratch, { recursive: true, force: true });
    }
  });

  it('names, types and help of the page: nothing to complain of', async () => {
    const page = createPage();
    page.replace(
      'all',
      METRICS.filter(({ type }) => type === 'gauge').map(({ name, labels }) => ({
        name,
        labels: Object.fromEntries(labels.map((label) => [label, 'x'])),
        value: 1,
      })),
    );
    page.countBy('backup_operations_total', () => [{ labels: { system: 'a "b" \\ \n c' }, value: 1 }]);
    expect(tool('promtool', ['check', 'metrics'], await page.text())).toEqual({ code: 0, said: '' });
  });
});

describe('what is shipped', () => {
  it('every alert: says what happened and what to do, and is tested both ways', () => {
    const { tests } = parse(read('monitoring', 'rules', 'holdfast.test.yml')) as { tests: RuleTest[] };
    const [fires = [], quiet = []] = tests.map((test) => test.promql_expr_test);
    expect(tests.map(({ name }) => name)).toEqual(['what fires', 'what does not fire']);
    for (const rule of shippedRules()) {
      expect(Object.keys(rule.annotations)).toEqual(['summary', 'description', 'action', 'runbook']);
      expect(['critical', 'warning']).toContain(rule.labels.severity);
      const expr = `ALERTS{alertname="${rule.alert}", alertstate="firing"}`;
      expect(fires.find((one) => one.expr === expr)?.exp_samples).toHaveLength(1);
      expect(quiet.find((one) => one.expr === expr)?.exp_samples).toEqual([]);
      expect(read('docs', 'metrics.md')).toContain(`### ${rule.alert}\n`);
    }
  });

  it('what an alert tells to type: commands that there are', () => {
    const commands = createProgram().commands.map((command) => command.name());
    const told = shippedRules().flatMap(({ annotations }) =>
      [...(annotations['action'] ?? '').matchAll(/`holdfast ([^` ]*)/g)].map(([, name]) => name),
    );
    expect(told.filter((name) => !commands.includes(name ?? ''))).toEqual([]);
    expect(told.length).toBeGreaterThan(20);
  });

  it('[T10] the alerts of the guide: their times and severities', () => {
    const named = Object.fromEntries(shippedRules().map((rule) => [rule.alert, [rule.for, rule.labels.severity]]));
    expect(named).toMatchObject({
      BackupFailed: ['5m', 'critical'],
      BackupOverdue: ['15m', 'warning'],
      BackupSizeAnomaly: ['10m', 'warning'],
    });
  });

  it('rules and dashboard: only metrics that there are', () => {
    const foreign = /^(up|ALERTS|temporal_.*|process_.*|nodejs_.*)$/;
    const own = METRICS.flatMap(({ name, type }) => (type === 'histogram' ? [`${name}_bucket`] : [name]));
    const used = [...ruleExpressions(), ...dashboardExpressions()].flatMap(metricsIn);
    expect(used.filter((name) => !foreign.test(name) && !own.includes(name))).toEqual([]);
    expect(used.length).toBeGreaterThan(40);
  });

  it('every metric: in docs/metrics.md with its labels and its words', () => {
    const docs = read('docs', 'metrics.md').replaceAll(/ +/g, ' ');
    for (const { name, type, labels, help } of METRICS) {
      const own = labels.map((label) => `\`${label}\``).join(', ');
      expect(docs).toContain(`| \`${name}\` | ${type} | ${own === '' ? '' : `${own} `}| ${help} |`);
    }
  });
});
