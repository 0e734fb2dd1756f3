# SPDX-License-Identifier: BSD-2-Clause

package Report;

# The tables of bench/README.md, and the picture.

use strict;
use warnings;

use Exporter qw(import);

our @EXPORT = qw(columns failed figure limit picture row says write_readme);

my @columns = ('', 'measured', 'limit', 'within');

# The page's sections: each answers a question.  The order is the page's.

my @sections = (
    { name => 'known', title => 'What does a known token cost?', text => <<'_' },
Once a token has been verified, it is found in a cache. The figures are requests per CPU second, relative to plain nginx: 0.95 means that a
worker answers 95 % of the requests that it would answer without the module. "Local" is a small file, "proxied" an upstream on the same
machine; the time in parentheses is the CPU time of a request without the module.
_
    { name => 'new', title => 'What does a new token cost?', text => <<'_' },
Its signature has to be verified. The figures are what a new token adds to a request, relative to the same verification by OpenSSL alone, in a
loop that does nothing else. Inside a server the verification itself is slower, because the processor's caches also hold other things: the
rows "verification only" are a plain nginx that verifies one signature per request and does nothing else with it.
_
    { name => 'refused', title => 'What does a refused token cost?', text => <<'_' },
For forged and expired tokens the signature is verified, so they cost about as much as a new valid token; the figures are relative to
that. The others fail earlier; the figures are the CPU time that they add to a request.
_
    { name => 'scale', title => 'Does it scale?', text => <<'_' },
With more workers, more keys, more tokens than the zone can hold, and over time.
_
    { name => 'others', title => 'How does it compare with other solutions?',
      text => <<'_' },
Requests per CPU second, relative to plain nginx. Each of them checks the signature (RS256), the expiry time and the audience; with
`auth_request`, another nginx with this module does so once, and its verdict is cached.
_
    { name => 'reviews', title => 'What does TokenReview cost?', text => <<'_' },
Against an API server that answers at once.
_
);

my %section = map { $_->{name} => $_ } @sections;
my (@lines, @failed);


# A line of the page's introduction.

sub says { print "$_[0]\n"; push @lines, $_[0] }


# columns(SECTION, TITLE...): instead of the usual ones

sub columns {
    my ($section, @titles) = @_;
    $section{$section}{columns} = \@titles;
}


# row(SECTION, CELL...)

sub row {
    my ($section, @cells) = @_;
    my $row = '| ' . join(' | ', @cells) . ' |';

    $row =~ s/\|  (?=\|)/| /g;
    print "$section: $row\n";
    push @{$section{$section}{rows}}, $row;
}


# limit(SECTION, WHAT, FORMAT, VALUE, LIMIT, WHY): a row whose value has to be
# at least or at most the limit ('>= 0.95').  WHY is the page's explanation if
# it is not.

sub limit {
    my ($section, $what, $format, $value, $wanted, $why) = @_;
    my ($sign, $limit) = $wanted =~ /^([<>])=? ([\d,.]+)/;
    my $within;

    $limit =~ tr/,//d;
    $within = $sign eq '<' ? $value <= $limit : $value >= $limit;

    if (!$within) {
        push @failed, { what => $what, why => $why || '' };
    }

    row($section, $what, sprintf($format, $value), $wanted,
        $within ? 'yes' : '**no**');
}


# figure(SECTION, WHAT, FORMAT, VALUE): a row without a limit

sub figure {
    my ($section, $what, $format, $value) = @_;
    my $columns = $section{$section}{columns} || \@columns;

    row($section, $what, sprintf($format, $value), ('') x (@$columns - 2));
}

sub failed { return map { $_->{what} } @failed }


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


# Why rows have missed their limits: each reason once, with all rows that it is
# for.

sub outside {
    my (%rows, @reasons);

    for my $row (@failed) {
        push @reasons, $row->{why} unless $rows{$row->{why}};
        push @{$rows{$row->{why}}}, $row->{what};
    }

    return '' unless @reasons;

    return "\n## Rows outside of their limits\n\n"
        . 'The rows marked **no** above, and why. A limit is a goal of this '
        . "measurement, not a guarantee.\n\n"
        . join '', map { '- **' . join('**; **', @{$rows{$_}}) . "**: $_\n" }
                   @reasons;
}

sub write_readme {
    my ($file) = @_;

    open my $fh, '>', $file or die "$file: $!\n";
    print $fh <<'_', join("\n", @lines), "\n";
# Benchmark

This page answers what it costs to check tokens with this module. `util/bench.sh` installs what it needs, measures, and writes the page and the
picture.

![requests per second, relative to plain nginx](throughput.svg)

_

    for my $section (grep { $_->{rows} } @sections) {
        my @titles = @{$section->{columns} || \@columns};

        print $fh "\n## $section->{title}\n\n$section->{text}\n",
            ('| ' . join(' | ', @titles) . ' |') =~ s/^\|  \|/| |/r, "\n",
            '|' . '---|' x @titles . "\n",
            map { "$_\n" } @{$section->{rows}};
    }

    print $fh outside(), <<'_';

## How it is measured

Absolute figures mean little on a shared machine, so each figure is a ratio within one run, against the same nginx without the module. The
servers that are compared take turns of about 30 ms on core 0, with one worker each; the load generator (wrk, 32 connections) and the upstream
run on core 1. CPU time is what the kernel accounts to the worker; its inverse is the number of requests that a worker with a core of its own
answers in a second. Each figure is the median of several rounds. Where a tenth matters, each round has new workers, since two identical workers
can differ by that much.

If other work shares the machine, CPU times vary by a few hundredths from run to run, and those of new tokens by up to a tenth. The rows "two
plain nginx" and "verification only" show how much of that is in a run. Instructions are counted by callgrind and are the same in every run;
`t/bench/instructions.t` fails if they grow.

| file | contents |
|---|---|
| `bench.pl` | measures everything and compares it with the limits; `BENCH_ROUNDS` and `BENCH_SECONDS` make it shorter |
| `lib/` | servers, load and CPU time; the other solutions; tables and the picture |
| `peers/` | what njs and Lua need to do the same job |
| `tokens.c` | makes keys and tokens as an API server issues them to pods, and forged, expired and otherwise invalid ones |
| `verify.c` | OpenSSL's verification of the same tokens and nothing else, with a prepared context |
| `inside.c` | does that verification inside a plain nginx: no check can cost less there |
| `wrk.lua`, `spin.c` | sends tokens in turn; keeps wrk and the upstream from sleeping, because waking them up would be charged to the server |
| `hanging-issuer.pl` | a separate measurement: latency while a fetch of keys hangs |
_
    close $fh or die "$file: $!\n";
}

1;
