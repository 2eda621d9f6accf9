/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `tare completion SHELL`: scripts that ask `tare __complete` (complete.h) what can be typed, and
 * hand the answer to their shell. They know no command and no option themselves.
 */
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli/command.h"
#include "cli/verbs.h"

#include <stdio.h>

static const char bash_script[] =
	"# bash completion of tare\n"
	"_tare() {\n"
	"\tlocal line=${COMP_LINE:0:COMP_POINT} word= quote= started= char i\n"
	"\tlocal out directive prefix= before= breaks=\n"
	"\tlocal -a words=()\n"
	"\tCOMPREPLY=()\n"
	"\t# readline splits at colons and equal signs too, so the line is split again.\n"
	"\tfor ((i = 0; i < ${#line}; i++)); do\n"
	"\t\tchar=${line:i:1}\n"
	"\t\tif [[ $quote ]]; then\n"
	"\t\t\tif [[ $char == \"$quote\" ]]; then\n"
	"\t\t\t\tquote=\n"
	"\t\t\telse\n"
	"\t\t\t\t[[ $quote$char == '\"\\' ]] && { ((i += 1)); char=${line:i:1}; }\n"
	"\t\t\t\tword+=$char\n"
	"\t\t\tfi\n"
	"\t\telif [[ $char == [[:space:]] ]]; then\n"
	"\t\t\t[[ $started ]] && words+=(\"$word\")\n"
	"\t\t\tword= started=\n"
	"\t\t\tcontinue\n"
	"\t\telif [[ $char == [\"'\\\"\"] ]]; then\n"
	"\t\t\tquote=$char\n"
	"\t\telse\n"
	"\t\t\t[[ $char == '\\' ]] && { ((i += 1)); char=${line:i:1}; }\n"
	"\t\t\tword+=$char\n"
	"\t\tfi\n"
	"\t\tstarted=1\n"
	"\tdone\n"
	"\tout=$(tare __completeNoDesc \"${words[@]:1}\" \"$word\" 2>/dev/null) || return\n"
	"\tdirective=${out##*:}\n"
	"\t# An option's name stays, of the rest only what readline takes for the word.\n"
	"\t[[ $word == -*=* ]] && prefix=${word%%=*}=\n"
	"\t[[ $COMP_WORDBREAKS == *:* ]] && breaks+=:\n"
	"\t[[ $COMP_WORDBREAKS == *=* ]] && breaks+==\n"
	"\t[[ $breaks ]] && before=${word%\"${word##*[$breaks]}\"}\n"
	"\twhile IFS= read -r line; do\n"
	"\t\t[[ $line ]] || continue\n"
	"\t\tline=$prefix$line\n"
	"\t\tCOMPREPLY+=(\"${line#\"$before\"}\")\n"
	"\tdone <<<\"${out%:*}\"\n"
	"\t((directive & 2)) && compopt -o nospace 2>/dev/null\n"
	"\tif ((directive & 4)); then\n"
	"\t\tcompopt +o default 2>/dev/null\n"
	"\telif ((directive & 16)); then\n"
	"\t\tcompopt -o filenames 2>/dev/null\n"
	"\t\twhile IFS= read -r line; do COMPREPLY+=(\"$line\"); done < <(compgen -d -- "
	"\"${word#\"$prefix\"}\")\n"
	"\telif [[ ${COMPREPLY[*]} ]]; then\n"
	"\t\tcompopt -o filenames 2>/dev/null\n"
	"\t\twhile IFS= read -r line; do COMPREPLY+=(\"$line\"); done < <(compgen -f -- "
	"\"${word#\"$prefix\"}\")\n"
	"\tfi\n"
	"}\n"
	"complete -o default -F _tare tare\n"
	"# An alias that is made later wants this line after it.\n"
	"if [[ ${BASH_ALIASES[docker]-} == tare ]]; then complete -o default -F _tare docker; fi\n";

static const char zsh_script[] = "#compdef tare\n"
				 "# zsh completion of tare\n"
				 "_tare() {\n"
				 "\tlocal -a lines names texts more\n"
				 "\tlocal line directive\n"
				 "\tlines=(\"${(@f)$(tare __complete \"${(@Q)words[2,CURRENT-1]}\" "
				 "\"${(Q)PREFIX}\" 2>/dev/null)}\")\n"
				 "\tdirective=${lines[-1]#:}\n"
				 "\t[[ $directive == <-> ]] || return 1\n"
				 "\tlines[-1]=()\n"
				 "\t[[ $PREFIX == -*=* ]] && compset -P '*='\n"
				 "\tfor line in \"${lines[@]}\"; do\n"
				 "\t\t[[ -n $line ]] || continue\n"
				 "\t\tnames+=(\"${line%%$'\\t'*}\")\n"
				 "\t\ttexts+=(\"${line/$'\\t'/  -- }\")\n"
				 "\tdone\n"
				 "\t((directive & 2)) && more=(-S '')\n"
				 "\t((${#names})) && compadd -l \"${more[@]}\" -d texts -a names\n"
				 "\tif ((directive & 16)); then\n"
				 "\t\t_files -/\n"
				 "\telif ((!(directive & 4))); then\n"
				 "\t\t_files\n"
				 "\tfi\n"
				 "}\n"
				 "if [[ ${funcstack[1]} == _tare ]]; then\n"
				 "\t_tare \"$@\"\n"
				 "else\n"
				 "\tcompdef _tare tare\n"
				 "fi\n";

static const char fish_script[] =
	"# fish completion of tare\n"
	"function __tare_complete\n"
	"\tset -l words (commandline -opc)\n"
	"\tset -l cur (commandline -ct)\n"
	"\tset -l lines (tare __complete $words[2..-1] \"$cur\" 2>/dev/null)\n"
	"\tset -q lines[1]; or return\n"
	"\tset -l directive (string sub -s 2 -- $lines[-1])\n"
	"\tset -e lines[-1]\n"
	"\tset -l prefix (string match -r -- '^-[^=]*=' \"$cur\")\n"
	"\tfor line in $lines\n"
	"\t\tprintf '%s\\n' \"$prefix$line\"\n"
	"\tend\n"
	"\tif test (math \"bitand($directive, 4)\") -eq 0\n"
	"\t\t__fish_complete_path (string replace -- \"$prefix\" \"\" \"$cur\")\n"
	"\tend\n"
	"end\n"
	"complete -c tare -f -a '(__tare_complete)'\n";

int cmd_completion(struct cli *cli, union verb_options *o, struct err *err)
{
	static const struct {
		const char *shell, *script;
	} shells[] = {
		{"bash", bash_script},
		{"zsh", zsh_script},
		{"fish", fish_script},
	};

	for (size_t i = 0; i < ARRAY_LEN(shells); i++) {
		if (strcmp(cli->args.items[0], shells[i].shell) != 0)
			continue;
		fputs(shells[i].script, stdout);
		return 0;
	}
	return err_set(err, ERR_INVALID, "no completion for \"%s\", only for bash, zsh and fish",
		       cli->args.items[0]);
}
