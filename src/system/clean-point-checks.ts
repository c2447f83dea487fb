/** Section `cleanPoint` against the components. Pure. */
import type { CleanPointFile } from './clean-point-schema.ts';
import type { ProblemPath } from './problems.ts';
import { reportUnknown, type Report } from './report.ts';

const DATABASES: readonly string[] = ['postgres', 'sqlite'];

export function checkCleanPoint(
  file: {
    readonly cleanPoint?: CleanPointFile | undefined;
    readonly components: Readonly<Record<string, { readonly kind: string; readonly method?: string | undefined }>>;
  },
  names: { readonly components: readonly string[] },
  report: Report,
): void {
  for (const [index, name] of (file.cleanPoint?.components ?? []).entries()) {
    reportUnknown(['cleanPoint', 'components', index], 'component', name, names.components, report);
  }
  for (const [name, query] of Object.entries(file.cleanPoint?.queries ?? {})) {
    const path: ProblemPath = ['cleanPoint', 'queries', name];
    reportUnknown([...path, 'component'], 'component', query.component, names.components, report);
    const component = file.components[query.component];
    if (component !== undefined && !DATABASES.includes(component.kind)) {
      report([...path, 'component'], `\`${query.component}\` is of the kind ${component.kind}: name a database`);
    }
    if (component?.method === 'base') {
      report([...path, 'component'], `\`${query.component}\` is a database cluster: its copy has no server to ask`);
    }
    if ([query.equals, query.atLeast, query.atMost, query.notEmpty].every((wish) => wish === undefined)) {
      report(path, 'say what its value is in a clean database: `equals`, `atLeast`, `atMost` or `notEmpty`');
    }
  }
}
