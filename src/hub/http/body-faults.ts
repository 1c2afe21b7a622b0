import type * as z from 'zod';

type Issue = z.core.$ZodIssue;

/** Most faults that are told of one body. */
const TOLD_MOST = 5;

/**
 * What is wrong with a body, for whoever wrote the script: places, and what would be right there. Never what stands there,
 * for that may be a key; nor names that are none of ours, unless they look like names.
 */
export function faultsOf(error: z.ZodError): string {
  const faults = error.issues.map((issue) => faultOf(issue));
  return faults.slice(0, TOLD_MOST).join('; ') + (faults.length > TOLD_MOST ? '; and more' : '');
}

function faultOf(issue: Issue): string {
  const where = issue.path.length === 0 ? 'the body' : `\`${issue.path.join('.')}\``;
  return `${where} ${whatOf(issue)}`;
}

function whatOf(issue: Issue): string {
  switch (issue.code) {
    case 'invalid_type':
      return `is missing, or not of the type ${issue.expected}`;
    case 'invalid_value':
      return `is none of ${issue.values.map(String).join(', ')}`;
    case 'too_small':
      return unitOf(issue.origin) !== '' && issue.minimum === 1 ? 'is empty' : `is less than ${issue.minimum}${unitOf(issue.origin)}`;
    case 'too_big':
      return `is more than ${issue.maximum}${unitOf(issue.origin)}`;
    case 'invalid_format':
      return issue.format === 'regex' ? `does not have the form ${issue.pattern}` : `is no ${issue.format}`;
    case 'unrecognized_keys':
      return `has what this route does not take: ${issue.keys.map(named).join(', ')}`;
    case 'invalid_union':
      return `is none of the forms that this route takes: ${formsOf(issue.errors)}`;
    default:
      return 'is not what this route takes';
  }
}

/** What each form lacks, the nearest one first. */
function formsOf(forms: Issue[][]): string {
  const sorted = forms.toSorted((a, b) => a.length - b.length);
  return sorted.map((issues) => issues.map(faultOf).join(' and ')).join('; or ');
}

const unitOf = (origin: string): string => (origin === 'string' ? ' characters' : origin === 'array' ? ' entries' : '');

const named = (key: string): string => (/^[a-z][a-z_-]{0,31}$/i.test(key) ? `\`${key}\`` : 'a name of another kind');
