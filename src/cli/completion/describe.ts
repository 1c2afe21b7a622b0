import type { Argument, Command, Option } from 'commander';

/** What may stand after an option or in the place of an argument. */
export type Takes = { kind: 'nothing' | 'word' | 'file' | 'folder' } | { kind: 'choice'; of: readonly string[] };

export interface DescribedOption {
  /** As the help writes it: `-h, --help`, `--config <path>`. */
  flags: string;
  /** `--config`, `-h`. */
  names: string[];
  summary: string;
  takes: Takes;
}

/** One command of a program, as `--help` tells of it: the source of manual pages and completions. */
export interface Described {
  /** Names from below the program to this command: none for the program, `config show`. */
  path: string[];
  usage: string;
  summary: string;
  options: DescribedOption[];
  arguments: { name: string; takes: Takes }[];
  commands: Described[];
  /** Lines of the help's example. */
  examples: string[];
}

/** Describes a program or command with all that is below it; what the help hides stays hidden. */
export function describeCommand(command: Command, path: string[] = []): Described {
  const help = command.createHelp();
  return {
    path,
    usage: help.commandUsage(command),
    summary: command.description(),
    options: help.visibleOptions(command).map(describeOption),
    arguments: command.registeredArguments.map((one: Argument) => ({ name: one.name(), takes: takes(one.name(), one.argChoices) })),
    // `help` is commander's own; `--help` says the same.
    commands: help
      .visibleCommands(command)
      .filter((one) => one.name() !== 'help')
      .map((one) => describeCommand(one, [...path, one.name()])),
    examples: examplesOf(command),
  };
}

/** A description and all below it, in the order of the help. */
export function flatten(described: Described): Described[] {
  return [described, ...described.commands.flatMap(flatten)];
}

function describeOption(option: Option): DescribedOption {
  const value = /[<[]([^>\]]+)/.exec(option.flags)?.[1];
  return {
    flags: option.flags,
    names: [option.short, option.long].filter((name) => name !== undefined),
    summary: option.description,
    takes: value === undefined ? { kind: 'nothing' } : takes(value, option.argChoices),
  };
}

function takes(name: string, choices?: readonly string[]): Takes {
  if (choices) return { kind: 'choice', of: choices };
  if (/^(file|path)$/.test(name)) return { kind: 'file' };
  return { kind: name === 'dir' ? 'folder' : 'word' };
}

/** The example stands in the text after the help, which commander hands out only as a whole. */
function examplesOf(command: Command): string[] {
  let text = '';
  const { writeOut } = command.configureOutput();
  command.configureOutput({ writeOut: (more) => (text += more) });
  try {
    command.outputHelp();
  } finally {
    command.configureOutput(writeOut ? { writeOut } : {});
  }
  const [, example = ''] = text.split('\nExample:\n');
  return example
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');
}
