/** What monitoring/ holds, as tests look at it. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { parse } from 'yaml';
import { MONITORING } from '../support/alerting.ts';

export interface ShippedRule {
  readonly alert: string;
  readonly expr: string;
  readonly for: string;
  readonly labels: { readonly severity: string };
  readonly annotations: Readonly<Record<string, string>>;
}

export function shippedRules(): ShippedRule[] {
  const text = readFileSync(path.join(MONITORING, 'rules', 'holdfast.yml'), 'utf8');
  return (parse(text) as { groups: { rules: ShippedRule[] }[] }).groups.flatMap(({ rules }) => rules);
}

export function ruleExpressions(): string[] {
  return shippedRules().map(({ expr }) => expr);
}

/** With the variable of the dashboard set to everything. */
export function dashboardExpressions(): string[] {
  const text = readFileSync(path.join(MONITORING, 'grafana', 'holdfast.json'), 'utf8');
  const { panels } = JSON.parse(text) as { panels: { targets?: { expr: string }[] }[] };
  return panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr.replaceAll('$system', '.*')));
}

/** Names of metrics in an expression: identifiers that are neither labels nor functions nor words of the language. */
export function metricsIn(expression: string): string[] {
  const bare = expression
    .replaceAll(/"[^"]*"/g, '""')
    .replaceAll(/\{[^}]*\}/g, '')
    .replaceAll(/\[[^\]]*\]/g, '')
    .replaceAll(/\b(?:by|on|without|ignoring)\s*\([^)]*\)/g, ' ');
  const words = [...bare.matchAll(/[A-Za-z_:][\w:]*(?!\w)(?!\s*\()/g)].map(([word]) => word);
  return words.filter((word) => word.includes('_') || word === 'up');
}
