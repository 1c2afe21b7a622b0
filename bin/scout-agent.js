#!/usr/bin/env node
import { launch } from './launch.js';

await launch('scout-agent', 'agent');
