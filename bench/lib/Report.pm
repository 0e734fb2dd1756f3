# SPDX-License-Identifier: BSD-2-Clause

package Report;

# The tables, bench/README.md and the picture

use strict;
use warnings;

use Exporter qw(import);

our @EXPORT = qw(demand failed figure head picture says write_readme);

my (@lines, @failed);


sub says { print "$_[0]\n"; push @lines, $_[0] }

sub head {
    my ($title, @columns) = @_;
    says("\n## $title\n");
    says('| ' . join(' | ', @columns) . ' |');
    says('|' . '---|' x @columns);
}


# A line of the table of demands; "wanted" says whether the value has to be at
# least or at most the limit.

sub demand {
    my ($point, $what, $format, $value, $wanted) = @_;
    my ($sign, $limit) = $wanted =~ /^([<>])=? ([\d,.]+)/;
    my $met;

    $limit =~ tr/,//d;
    $met = $sign eq '<' ? $value <= $limit : $value >= $limit;
    push @failed, "$point $what" unless $met;

    says(sprintf "| %s | %s | $format | %s | %s |", $point, $what, $value,
         $wanted, $met ? 'yes' : '**no**');
}

sub figure {
    my ($what, $format, $value) = @_;
    says(sprintf "| %s | $format |", $what, $value);
}

sub failed { return @failed }


# picture(FILE, SUBTITLE, [NAME, same, many] ...): horizontal bars

sub picture {
    my ($file, $subtitle, @rows) = @_;
    my ($left, $scale, $step) = (250, 420, 46);
    my $height = 78 + $step * @rows;
    my $y = 70;

    my $svg = <<"_";
<svg xmlns="http://www.w3.org/2000/svg" width="760" height="$height" font-family="sans-serif" font-size="14">
<rect width="760" height="$height" fill="white"/>
<text x="16" y="24" font-size="16" font-weight="bold">Requests per second, relative to the same nginx without a check</text>
<text x="16" y="44" font-size="12" fill="#555555">$subtitle</text>
_

    for my $row (@rows) {
        my ($name, @values) = @$row;
        my @colours = $name =~ /this module/ ? ('#1f7a4d', '#7fbf9d')
                    : $name =~ /no check/ ? ('#777777', '#bbbbbb')
                    : ('#b5622d', '#dfae8c');

        $svg .= sprintf qq{<text x="%d" y="%d" text-anchor="end">%s</text>\n},
                        $left - 10, $y + 21, $name;

        for my $i (0, 1) {
            my $width = int($scale * $values[$i] + 0.5) || 1;

            $svg .= sprintf qq{<rect x="%d" y="%d" width="%d" height="16" }
                            . qq{fill="%s"/><text x="%d" y="%d" }
                            . qq{font-size="12">%.2f</text>\n},
                            $left, $y + 17 * $i, $width, $colours[$i],
                            $left + $width + 6, $y + 13 + 17 * $i,
                            $values[$i];
        }

        $y += $step;
    }

    open my $fh, '>', $file or die "$file: $!\n";
    print $fh "$svg</svg>\n";
    close $fh or die "$file: $!\n";
}


sub write_readme {
    my ($file) = @_;

    open my $fh, '>', $file or die "$file: $!\n";
    print $fh <<'_', join("\n", @lines), "\n";
# Benchmark

`util/bench.sh` installs what it needs, measures, and writes this page and the picture. Figures are ratios within one
run against the same nginx without the module, since absolute ones are noise on a shared machine. What is compared runs by turns of about 30 ms on
core 0, one worker each; the load generators (wrk, 32 connections each) and upstreams are on core 1. CPU time is the kernel's account of the
workers: what a worker that has the core for itself answers in a second is the inverse of it. Each figure is the median of several rounds,
with new workers in each where a tenth matters, since two identical ones can differ by that.
On a machine with neighbours, figures of CPU time move by hundredths from run to run, those of new tokens by a tenth: "plain to another
plain" and the verification inside nginx tell what a run is worth.
Instructions are counted by callgrind, and are the same each time; `t/bench/instructions.t` fails if they grow.

![requests per second, relative to plain nginx](throughput.svg)

| file | what it is |
|---|---|
| `bench.pl` | measures everything, decides whether the demands are met; `BENCH_ROUNDS`, `BENCH_SECONDS` for a quicker look |
| `lib/` | servers, load, CPU time; the others; tables and the picture |
| `peers/` | what njs and Lua need to do the same job |
| `tokens.c` | makes keys and tokens as an API server issues them to pods, and forged, expired and otherwise wrong ones |
| `verify.c` | OpenSSL's bare verification of the same bytes, with a prepared context |
| `inside.c` | makes that verification inside a plain nginx: less than that no check can cost there |
| `wrk.lua`, `spin.c` | sends tokens in turn; keeps wrk and the upstream from sleeping, since to wake them up would be the server's work |
| `hanging-issuer.pl` | on its own: latency while a fetch of keys hangs |

_
    close $fh or die "$file: $!\n";
}

1;
